use std::net::IpAddr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::intel::view::{IntelView, List, ListKind};
use crate::time::{DAY_MS, Timestamp};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/intel").join(name)
}
fn load(name: &str) -> (List, FeedStatus) {
    load_file(&fixture(name), ListKind::Threat).unwrap()
}
fn networks(list: &List) -> Vec<String> {
    list.entries.iter().map(|e| e.network.to_string()).collect()
}
fn read(text: &str) -> Parsed {
    parse(detect_format(text.as_bytes()), text.as_bytes()).unwrap()
}
fn refused(text: &str) -> ParseError {
    parse(detect_format(text.as_bytes()), text.as_bytes()).unwrap_err()
}
fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}
fn days(n: i64) -> i64 {
    n * DAY_MS
}

#[test]
fn the_bulk_list_is_valid_for_all_time() {
    let (list, status) = load("tor_torbulkexitlist.txt");
    assert_eq!(networks(&list), ["192.0.2.201/32", "198.51.100.40/32", "198.51.100.41/32"]);
    assert_eq!((status.format, status.newest), (Some(FeedFormat::Plain), None));
    assert!(list.entries.iter().all(|e| e.valid_at(Timestamp::MIN) && e.valid_at(Timestamp(0))));
    assert_eq!(&*list.name, "tor_torbulkexitlist");
}

#[test]
fn exit_addresses_have_a_window_around_what_was_seen() {
    let (list, status) = load("tor_exit-addresses.txt");
    assert_eq!(status.format, Some(FeedFormat::TorExitAddresses));
    assert_eq!(networks(&list), ["192.0.2.201/32", "198.51.100.40/32", "198.51.100.41/32"]);
    let (first, last) = (list.entries[0].clone(), list.entries[2].clone());
    assert_eq!(first.since, Some(at("2026-03-13T18:29:45Z").plus_ms(-days(1))));
    assert_eq!(first.until, Some(at("2026-03-13T19:08:23Z").plus_ms(days(2))));
    assert_eq!(last.since, Some(at("2026-03-12T20:06:01Z").plus_ms(-days(1))));
    assert_eq!(last.until, Some(at("2026-03-13T19:00:00Z").plus_ms(days(2))));
    assert_eq!(status.newest, Some(at("2026-03-13T19:08:23Z")));
    assert_eq!(status.age_ms(at("2026-03-14T19:08:23Z")), Some(days(1)));
    assert!(!first.valid_at(at("2026-04-13T00:00:00Z")), "an exit of last month is none today");
}

#[test]
fn onionoo_gives_exit_addresses_from_first_to_last_seen() {
    let (list, status) = load("tor_onionoo_details.json");
    assert_eq!(status.format, Some(FeedFormat::Onionoo));
    assert_eq!(networks(&list), ["192.0.2.201/32"]);
    assert_eq!(list.entries[0].since, Some(at("2025-01-01")));
    assert_eq!(list.entries[0].until, Some(at("2026-03-13T19:00:00Z").plus_ms(days(2))));
    let own = r#"{"relays":[
        {"or_addresses":["192.0.2.1:9001","[2001:db8::1]:9001"],"flags":["Exit"]},
        {"or_addresses":["192.0.2.2:9001"],"flags":["Fast"]}]}"#;
    let parsed = read(own);
    assert_eq!(parsed.entries.len(), 2, "an exit without a list leaves through its own addresses");
    assert_eq!(parsed.dropped.unsupported, 1);
    assert!(refused(r#"{"relays":[{"exit_addresses":["x"]}]}"#).reason.contains("relay 1"));
}

#[test]
fn netsets_and_plain_lists_take_comments_and_networks() {
    let (list, _) = load("firehol_level1.netset");
    assert_eq!(networks(&list), ["192.0.2.7/32", "198.51.100.0/24", "203.0.113.0/24"]);
    let parsed = read(
        "\u{feff}# a list\r\n192.0.2.1 # who\r\n\r\n2001:db8::/32 ; why\r\n::ffff:192.0.2.2\n192.0.2.1\n",
    );
    let got: Vec<String> = parsed.entries.iter().map(|e| e.network.to_string()).collect();
    assert_eq!(got, ["192.0.2.1/32", "192.0.2.2/32", "2001:db8::/32"]);
    assert_eq!(read("# nothing today\n").entries, []);
}

#[test]
fn abusech_columns_are_found_by_name() {
    let (list, status) = load("abusech_feodo_ipblocklist.csv");
    assert_eq!(status.format, Some(FeedFormat::AbuseCh));
    assert_eq!(networks(&list), ["203.0.113.77/32"]);
    assert_eq!(list.entries[0].since, Some(at("2026-01-03T08:12:10Z")));
    assert_eq!(list.entries[0].until, None, "it is online");
    assert_eq!(status.newest, Some(at("2026-03-13")));
    let sslbl = read("# Firstseen,DstIP,DstPort\n2026-01-03 08:12:10,203.0.113.7,443\n");
    assert_eq!(sslbl.entries.len(), 1);
    let offline = read(
        "first_seen_utc,ioc_value,last_seen_utc,confidence_level\n\
         2026-01-01 00:00:00,203.0.113.7:443,2026-01-02 00:00:00,75\n\
         2026-01-01 00:00:00,x.example,,50\n",
    );
    assert_eq!(offline.entries[0].until, Some(at("2026-01-02").plus_ms(days(30))));
    assert_eq!(offline.entries[0].confidence, Some(75));
    assert_eq!(offline.dropped.unsupported, 1);
    let error = refused("# c\nfirst_seen,ip\n2026-01-01,203.0.113.7\nnever,203.0.113.8\n");
    assert_eq!(error.line, 4);
}

#[test]
fn spamhaus_comes_as_text_and_as_json_lines() {
    let (text, status) = load("spamhaus_drop.txt");
    assert_eq!(status.format, Some(FeedFormat::SpamhausText));
    assert_eq!(networks(&text), ["198.51.100.0/25", "203.0.113.0/24"]);
    assert_eq!(status.dropped.private, 1);
    assert_eq!(status.newest, Some(at("2026-03-13T05:17:00Z")));
    let (json, status) = load("spamhaus_drop_v4.jsonl");
    assert_eq!(status.format, Some(FeedFormat::SpamhausJsonLines));
    assert_eq!(networks(&json), ["1.10.16.0/20", "203.0.113.0/24"]);
    assert_eq!(status.newest, Some(Timestamp(1_773_360_000_000)));
    assert_eq!(refused("{\"cidr\":\"203.0.113.0/24\"}\n{\"cidr\":\"x\"}\n").line, 2);
}

#[test]
fn stix_has_validity_confidence_and_revocation() {
    let (list, status) = load("stix21_bundle_feed.json");
    assert_eq!(status.format, Some(FeedFormat::Stix));
    assert_eq!(networks(&list), ["198.51.100.0/24", "203.0.113.77/32", "2001:db8::/32"]);
    let bad = &list.entries[1];
    assert_eq!((bad.since, bad.until), (Some(at("2026-03-01")), Some(at("2026-04-01"))));
    assert_eq!(bad.confidence, Some(80));
    let taken_back = r#"{"objects":[
        {"type":"indicator","id":"i","modified":"2026-03-02T00:00:00Z","revoked":true,
         "pattern":"[ipv4-addr:value = '203.0.113.7']"},
        {"type":"indicator","id":"i","modified":"2026-03-01T00:00:00Z",
         "pattern":"[ipv4-addr:value = '203.0.113.7']"},
        {"type":"malware","name":"x"},
        {"type":"indicator","id":"j","pattern":"[file:size = '1']"},
        {"type":"indicator","id":"k","pattern_type":"yara","pattern":"rule"}]}"#;
    let parsed = read(taken_back);
    assert_eq!(parsed.entries, []);
    assert_eq!((parsed.dropped.revoked, parsed.dropped.unsupported), (2, 2));
    assert!(refused(r#"{"objects":[{"type":"indicator"}]}"#).reason.contains("object 1"));
}

#[test]
fn private_reserved_and_boundless_ranges_are_dropped_and_counted() {
    let parsed = read(
        "10.0.0.1\n172.16.0.0/12\n192.168.1.0/24\n127.0.0.1\n169.254.169.254\n100.64.0.1\n\
         172.0.0.0/8\nfd00::1\nfe80::1\n::1\n\
         0.0.0.0\n224.0.0.1\n240.0.0.1\n255.255.255.255\nff02::1\n::\n\
         0.0.0.0/0\n8.0.0.0/7\n::/0\n2000::/3\n::ffff:0:0/96\n::fffe:0:0/95\n\
         192.0.2.1\n198.51.100.1\n203.0.113.1\n2001:db8::1\n",
    );
    let dropped = parsed.dropped;
    assert_eq!((dropped.private, dropped.reserved, dropped.too_wide), (10, 6, 6));
    assert_eq!((parsed.entries.len(), dropped.total()), (4, 22));
}

#[test]
fn windows_of_one_address_that_touch_are_one() {
    let relay = |id: &str, day: &str| {
        format!("ExitNode {id}\nExitAddress 192.0.2.1 2026-03-{day} 00:00:00\n")
    };
    let parsed = read(&(relay("A", "01") + &relay("B", "02") + &relay("C", "20")));
    assert_eq!(parsed.entries.len(), 2);
    assert_eq!(parsed.entries[0].since, Some(at("2026-02-28")));
    assert_eq!(parsed.entries[0].until, Some(at("2026-03-04")));
}

#[test]
fn a_window_that_ends_before_it_begins_is_kept_once_and_never_valid() {
    let backwards = |id: &str| {
        format!(
            r#"{{"type":"indicator","id":"{id}","pattern":"[ipv4-addr:value = '192.0.2.1']",
            "valid_from":"2026-03-02T00:00:00Z","valid_until":"2026-03-01T00:00:00Z"}}"#
        )
    };
    let parsed = read(&format!(r#"{{"objects":[{},{}]}}"#, backwards("a"), backwards("b")));
    assert_eq!(parsed.entries.len(), 1);
    assert!(!parsed.entries[0].valid_at(at("2026-03-01T12:00:00Z")));
}

#[test]
fn something_else_is_refused_with_its_line() {
    assert!(refused("<html><body>404</body></html>").reason.contains("neither an address"));
    assert_eq!(refused("192.0.2.1\n192.0.2.2\nnonsense\n").line, 3);
    assert_eq!(refused("ExitNode A\nExitAddress 192.0.2.1 never\n").line, 2);
    for empty in ["", " \n\n"] {
        assert_eq!(refused(empty).reason, "the feed is empty");
    }
    assert!(parse(FeedFormat::Plain, b"192.0.2.1\n\xff\n").is_err_and(|e| e.line == 2));
    let error = load_bytes("n", "lists/n.txt", ListKind::Threat, b"x").unwrap_err().to_string();
    assert!(error.starts_with("feed `lists/n.txt` is broken at line 1: "), "{error}");
}

#[test]
fn a_broken_feed_keeps_the_last_good_list() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exits.txt");
    let mut store = FeedStore::default();
    assert!(store.refresh(&path, ListKind::TorExit).is_err());
    assert_eq!(store.lists().count(), 0);
    std::fs::write(&path, "192.0.2.1\n").unwrap();
    store.refresh(&path, ListKind::TorExit).unwrap();
    std::fs::write(&path, "<html>").unwrap();
    assert!(store.refresh(&path, ListKind::TorExit).is_err());
    assert_eq!(store.lists().map(|l| l.entries.len()).sum::<usize>(), 1);
    let status = store.statuses().next().unwrap();
    assert_eq!((status.entries, &*status.name), (1, "exits"));
    assert!(status.last_error.as_ref().is_some_and(|e| e.contains("line 1")));
    std::fs::write(&path, "192.0.2.1\n192.0.2.2\n").unwrap();
    store.refresh(&path, ListKind::TorExit).unwrap();
    assert_eq!(store.statuses().next().unwrap().last_error, None);
}

#[test]
fn a_file_beyond_the_limit_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.txt");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(crate::limits::FEED_BYTES_MAX as u64 + 1).unwrap();
    assert!(matches!(load_file(&path, ListKind::Threat), Err(FeedError::TooLarge { .. })));
}

#[test]
fn more_entries_than_a_feed_may_have_are_refused() {
    let most = crate::limits::FEED_ENTRIES_MAX;
    let error = refused(&"1.1.1.1\n".repeat(most + 1));
    assert_eq!(error.line, most + 1);
    assert!(error.reason.contains("split it"));
}

#[test]
fn a_cut_document_is_refused_as_what_it_was() {
    for (name, format) in [
        ("tor_onionoo_details.json", "onionoo"),
        ("spamhaus_drop_v4.jsonl", "spamhaus-jsonl"),
        ("stix21_bundle_feed.json", "stix"),
    ] {
        let mut bytes = std::fs::read(fixture(name)).unwrap();
        bytes.truncate(bytes.len() - 8);
        let error = load_bytes(name, name, ListKind::Threat, &bytes).unwrap_err();
        assert!(matches!(error, FeedError::Broken { format: f, .. } if f == format), "{error}");
    }
}

#[test]
fn loaded_lists_answer_in_a_view() {
    let (tor, _) = load_file(&fixture("tor_exit-addresses.txt"), ListKind::TorExit).unwrap();
    let view = IntelView::builder().list(tor).list(load("stix21_bundle_feed.json").0).build();
    let view = view.unwrap();
    let ip: IpAddr = "198.51.100.40".parse().unwrap();
    let kinds = |time: &str| -> Vec<ListKind> {
        view.hits(ip, at(time)).into_iter().map(|hit| hit.kind).collect()
    };
    assert_eq!(kinds("2026-03-14"), [ListKind::TorExit, ListKind::Threat]);
    assert_eq!(kinds("2026-06-14"), [ListKind::Threat]);
    assert_eq!(kinds("2025-06-14"), []);
}

/// Every fixture's text, to be cut and changed.
fn feeds() -> impl Strategy<Value = Vec<u8>> {
    let all: Vec<Vec<u8>> = [
        "tor_exit-addresses.txt",
        "tor_onionoo_details.json",
        "abusech_feodo_ipblocklist.csv",
        "spamhaus_drop.txt",
        "spamhaus_drop_v4.jsonl",
        "stix21_bundle_feed.json",
        "firehol_level1.netset",
    ]
    .iter()
    .map(|name| std::fs::read(fixture(name)).unwrap())
    .collect();
    prop::sample::select(all)
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        try_every_format(&bytes);
    }
    #[test]
    fn changed_feeds_never_panic(
        mut bytes in feeds(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
    ) {
        for (place, byte) in edits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        try_every_format(&bytes);
    }
    #[test]
    fn address_like_lines_never_panic(text in "([0-9a-f:./# ;,'\\[\\]]{0,24}\n){0,12}") {
        try_every_format(text.as_bytes());
    }
}
