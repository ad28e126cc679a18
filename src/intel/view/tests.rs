use proptest::prelude::*;

use super::*;

const CITY: &[u8] = include_bytes!("../../../tests/fixtures/intel/city-test.mmdb");
const TAGS: &[u8] =
    include_bytes!("../../../tests/fixtures/intel/azure_ServiceTags_Public_excerpt.json");

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}
fn entry(network: &str, since: Option<i64>, until: Option<i64>) -> ListEntry {
    ListEntry {
        network: net(network),
        since: since.map(Timestamp),
        until: until.map(Timestamp),
        confidence: None,
    }
}
fn list(name: &str, kind: ListKind, entries: Vec<ListEntry>) -> List {
    List { name: Text::from(name), kind, entries }
}
fn describe(view: &IntelView, address: &str) -> AddressInfo {
    view.describe(Some(ip(address)))
}

#[test]
fn the_shipped_database_knows_well_known_networks() {
    let view = IntelView::embedded().unwrap();
    let google = describe(&view, "8.8.8.8");
    assert_eq!(google.asn, Some(15169));
    assert_eq!(google.country, Country::parse("US"));
    assert!(google.organisation.contains("Google"));
    assert_eq!(google.class, AddressClass::Hosting);
    assert_eq!(describe(&view, "::ffff:8.8.8.8"), google);
    assert_eq!(describe(&view, "2001:4860:4860::8888").asn, Some(15169));
    assert_eq!(describe(&view, "2a01:4f8::1").country, Country::parse("DE"));
    assert_eq!(view.hosting_kind(24940), Some(HostingKind::Hosting));
}

#[test]
fn documentation_ranges_are_residential_without_a_country() {
    let view = IntelView::embedded().unwrap();
    for address in ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1"] {
        let info = describe(&view, address);
        assert_eq!((info.class, info.country), (AddressClass::Residential, None), "{address}");
    }
}

#[test]
fn no_address_and_private_addresses_are_private() {
    for view in [IntelView::empty(), IntelView::embedded().unwrap()] {
        assert_eq!(view.describe(None).class, AddressClass::Private);
        for address in
            ["10.0.0.4", "100.64.1.1", "0.0.0.0", "::1", "fde4:8dba::4", "::ffff:10.0.0.4"]
        {
            assert_eq!(describe(&view, address).class, AddressClass::Private, "{address}");
        }
    }
    assert_eq!(describe(&IntelView::empty(), "8.8.8.8").class, AddressClass::Residential);
}

#[test]
fn classes_are_asked_in_order() {
    let plain = IntelView::embedded().unwrap();
    assert_eq!(describe(&plain, "20.38.98.100").class, AddressClass::Azure);
    assert_eq!(describe(&plain, "104.42.195.92").class, AddressClass::Azure);
    let view = IntelView::builder()
        .trust_network(net("10.0.0.0/8"))
        .trust_network(net("20.38.98.0/24"))
        .trust_network(net("203.0.113.0/28"))
        .trust_asn(15169)
        .service_tags(TAGS.to_vec())
        .build()
        .unwrap();
    assert_eq!(describe(&view, "10.0.0.4").class, AddressClass::Private);
    assert_eq!(describe(&view, "20.38.98.100").class, AddressClass::Trusted);
    assert_eq!(describe(&view, "8.8.8.8").class, AddressClass::Trusted);
    assert_eq!(describe(&view, "203.0.113.15").class, AddressClass::Trusted);
    assert_eq!(describe(&view, "203.0.113.16").class, AddressClass::Azure);
    assert_eq!(describe(&view, "20.38.97.100").class, AddressClass::Azure);
}

#[test]
fn service_tags_give_the_region_and_its_country() {
    let view = IntelView::builder().service_tags(TAGS.to_vec()).build().unwrap();
    let info = describe(&view, "203.0.113.20");
    assert_eq!(info.azure_region.as_deref(), Some("westeurope"));
    assert_eq!(info.country, Country::parse("NL"));
    assert_eq!(describe(&view, "2001:db8:1::5").class, AddressClass::Azure);
}

#[test]
fn other_databases_answer_first_in_any_layout() {
    let view = IntelView::builder().database("city", CITY.to_vec()).build().unwrap();
    let city = describe(&view, "203.0.113.9");
    assert_eq!((city.country, city.city.as_deref()), (Country::parse("NL"), Some("Utrecht")));
    assert_eq!(view.coordinates(ip("2001:db8:7::1")), Some((52.09, 5.12)));
    assert_eq!(describe(&view, "198.51.100.1").country, Country::parse("DE"));
    let other = describe(&view, "192.0.2.5");
    assert_eq!((other.country, other.asn), (Country::parse("FR"), Some(64500)));
    assert_eq!(&*other.organisation, "Example Net");
    let text = describe(&view, "192.0.2.200");
    assert_eq!((text.country, text.city.as_deref()), (Country::parse("SE"), Some("Lund")));
    assert_eq!(text.class, AddressClass::Hosting);
    assert_eq!(describe(&view, "8.8.8.8").asn, Some(15169), "the shipped one answers the rest");
}

#[test]
fn a_file_that_is_no_database_is_refused_by_name() {
    let error = IntelView::builder().database("x.mmdb", b"no".to_vec()).build().unwrap_err();
    assert!(error.to_string().contains("x.mmdb"));
}

#[test]
fn entries_are_valid_from_since_to_just_before_until() {
    let entries = vec![entry("203.0.113.7/32", Some(1000), Some(2000))];
    let view = IntelView::builder().list(list("t", ListKind::TorExit, entries)).build().unwrap();
    let count = |at: i64| view.hits(ip("203.0.113.7"), Timestamp(at)).len();
    assert_eq!([count(999), count(1000), count(1999), count(2000)], [0, 1, 1, 0]);
    assert!(describe(&view, "203.0.113.7").listed_ever);
    assert!(!describe(&view, "203.0.113.8").listed_ever);
}

#[test]
fn hits_come_tor_first_then_by_feed_and_entry_whatever_the_order_given() {
    let tor = || list("z", ListKind::TorExit, vec![entry("203.0.113.7/32", None, None)]);
    let b = || {
        let entries =
            vec![entry("203.0.113.0/24", None, None), entry("203.0.0.0/16", Some(5), None)];
        list("b", ListKind::Threat, entries)
    };
    let a = || list("a", ListKind::Threat, vec![entry("203.0.113.4/30", None, None)]);
    let one = IntelView::builder().list(b()).list(a()).list(tor()).build().unwrap();
    let two = IntelView::builder().list(tor()).list(a()).list(b()).build().unwrap();
    let hits = one.hits(ip("::ffff:203.0.113.7"), Timestamp(7));
    let told: Vec<(&str, &str)> = hits.iter().map(|h| (&*h.feed, &*h.entry)).collect();
    assert_eq!(
        told,
        [
            ("z", "203.0.113.7"),
            ("a", "203.0.113.4/30"),
            ("b", "203.0.0.0/16"),
            ("b", "203.0.113.0/24")
        ]
    );
    assert_eq!(hits, two.hits(ip("203.0.113.7"), Timestamp(7)));
}

#[test]
fn ipv6_networks_match_their_addresses_only() {
    let entries = vec![entry("2001:db8::/48", None, None)];
    let view = IntelView::builder().list(list("t", ListKind::Threat, entries)).build().unwrap();
    assert_eq!(view.hits(ip("2001:db8:0:ffff::1"), Timestamp(0)).len(), 1);
    assert!(view.hits(ip("2001:db8:1::1"), Timestamp(0)).is_empty());
}

proptest! {
    #[test]
    fn every_address_has_a_description(bits in any::<u128>(), v4 in any::<u32>()) {
        let view = IntelView::embedded().unwrap();
        let six = view.describe(Some(IpAddr::from(bits.to_be_bytes())));
        let four = view.describe(Some(IpAddr::from(v4.to_be_bytes())));
        prop_assert!(!six.listed_ever && !four.listed_ever);
    }
    #[test]
    fn a_damaged_database_never_panics(at in 0usize..1998, byte in any::<u8>(), v4 in any::<u32>()) {
        let mut bytes = CITY.to_vec();
        if let Some(b) = bytes.get_mut(at) { *b = byte; }
        if let Ok(database) = Database::open("damaged", bytes) {
            for address in [IpAddr::from(v4.to_be_bytes()), ip("203.0.113.9"), ip("192.0.2.5"), ip("2001:db8:7::1")] {
                let _ = database.lookup(address);
            }
        }
    }
}
