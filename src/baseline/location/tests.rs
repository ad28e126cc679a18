use std::net::IpAddr;

use super::category::{Area, Category, Lane, Level, Novelty};
use super::*;
use crate::baseline::cell::Cell;
use crate::event::{
    Access, Category as LogCategory, ConnectionMode, Credential, KeyKind, Operation, Place,
    Request, Resource,
};
use crate::intel::view::{AddressClass, AddressInfo};
use crate::profile::Profile;
use crate::time::MINUTE_MS;

pub(crate) const KEY: Credential = Credential::Key(KeyKind::PrimaryMaster);
const START: i64 = 20_000;
const MINUTES: i64 = 1440;

/// A caller: address, class, country, AS, family, credential.
#[derive(Clone)]
pub(crate) struct Who {
    pub ip: Option<IpAddr>,
    pub class: AddressClass,
    pub country: Option<&'static str>,
    pub asn: Option<u32>,
    pub family: &'static str,
    pub credential: Credential,
    pub access: Access,
    pub internal: bool,
}

pub(crate) fn who(ip: &str, class: AddressClass, country: &'static str, asn: u32) -> Who {
    Who {
        ip: ip.parse().ok(),
        class,
        country: (!country.is_empty()).then_some(country),
        asn: (asn != 0).then_some(asn),
        family: "cosmos-netstandard-sdk",
        credential: KEY,
        access: Access::Success,
        internal: false,
    }
}

fn home() -> Who {
    who("145.1.2.3", AddressClass::Residential, "NL", 1136)
}
fn azure(country: &'static str) -> Who {
    who("20.1.2.3", AddressClass::Azure, country, 8075)
}
fn private(ip: &str) -> Who {
    who(ip, AddressClass::Private, "", 0)
}
fn with(mut who: Who, family: &'static str, credential: Credential) -> Who {
    (who.family, who.credential) = (family, credential);
    who
}
fn entra(name: &str) -> Credential {
    Credential::Entra(PrincipalId::new(name))
}

pub(crate) fn cell_at(minute: i64, callers: &[(Who, u64)]) -> Cell {
    let mut cell = Cell::default();
    for (who, count) in callers {
        let info = AddressInfo {
            class: who.class,
            country: who.country.and_then(Country::parse),
            asn: who.asn,
            organisation: Text::from(""),
            city: None,
            azure_region: None,
            listed_ever: true,
        };
        cell.add_request(
            (Timestamp(minute * MINUTE_MS + 1000), Place::NOWHERE),
            &request(who, *count),
            &info,
        );
    }
    cell
}

fn request(who: &Who, count: u64) -> Request {
    Request {
        category: LogCategory::DataPlaneRequests,
        command: crate::event::QueryText::Absent,
        count,
        interval_ms: 0,
        activity_id: Some(7),
        operation: Operation::Query,
        operation_name: Text::from("Query"),
        resource: Resource::Document,
        access: who.access,
        status: if who.access == Access::Refused { 403 } else { 200 },
        client_ip: who.ip,
        user_agent: Text::from(who.family),
        client_family: Text::from(who.family),
        credential: who.credential.clone(),
        connection: ConnectionMode::Gateway,
        request_bytes: 100,
        response_bytes: 1000 * count,
        response_bytes_max: 1000,
        charge_milli: 0,
        region: Text::from("westeurope"),
        database: Text::from("db"),
        container: Text::from("c"),
        change_feed: false,
        internal: who.internal,
    }
}

/// An account, minute by minute.
struct Account {
    profile: LocationProfile,
    prior: LocationPrior,
    baseline: LocationBaseline,
    day: i64,
}

impl Account {
    fn new() -> Account {
        Account {
            profile: Profile::default().location,
            prior: LocationPrior::default(),
            baseline: LocationBaseline::new(),
            day: START,
        }
    }
    fn assess(&self, minute: i64, callers: &[(Who, u64)]) -> Vec<PlaceObservation> {
        let minute = self.day * MINUTES + minute;
        let cx = PlaceContext { profile: &self.profile, prior: &self.prior };
        self.baseline.assess(minute, &cell_at(minute, callers), &cx)
    }
    fn minute(&mut self, minute: i64, callers: &[(Who, u64)]) -> Vec<PlaceObservation> {
        let judged = self.assess(minute, callers);
        let at = self.day * MINUTES + minute;
        self.baseline.learn(at, &cell_at(at, callers), &judged, &self.profile);
        judged
    }
    fn end_day(&mut self) -> Option<LocationContribution> {
        self.day += 1;
        self.baseline.close_day(self.day - 1, true, &self.profile)
    }
    fn days(&mut self, days: i64, callers: &[Who]) -> Vec<PlaceObservation> {
        let callers: Vec<(Who, u64)> = callers.iter().map(|w| (w.clone(), 10)).collect();
        let mut all = Vec::new();
        for _ in 0..days {
            all.extend(self.minute(600, &callers));
            all.extend(self.minute(601, &callers));
            self.end_day();
        }
        all
    }
    fn nominal(o: &PlaceObservation) -> f64 {
        o.p * o.per_day
    }
}

/// A baseline with something in every field.
pub(crate) fn lived_in() -> LocationBaseline {
    let mut account = Account::new();
    let ann = with(home(), "Mozilla/5.0", entra("ann"));
    account.days(40, &[home(), azure("NL"), ann, private("10.1.2.3")]);
    let hosted = who("5.2.3.4", AddressClass::Hosting, "RO", 9009);
    account.days(
        2,
        &[
            with(hosted.clone(), "azsdk-go", KEY),
            who("8.8.1.1", AddressClass::Residential, "DE", 3320),
        ],
    );
    account.minute(
        5,
        &[
            (with(hosted, "azsdk-go", KEY), 1),
            (with(azure("IE"), "azsdk-go", Credential::ResourceToken), 2),
        ],
    );
    account.baseline.note_other_finding(Timestamp::of_day(START + 3));
    account.baseline
}

/// Geo's share of the shipped budgets.
const LOW: f64 = 0.033333 * 2.0 / 8.5;
const MEDIUM: f64 = 0.0033333 * 2.0 / 8.5;

#[test]
fn a_stable_account_is_silent_and_a_stolen_key_from_a_new_country_is_not() {
    let mut account = Account::new();
    assert_eq!(account.days(60, &[home(), azure("NL")]), []);
    assert!(account.baseline.heap_bytes() < 1536, "{}", account.baseline.heap_bytes());
    let thief = with(who("5.2.3.4", AddressClass::Hosting, "RO", 9009), "azsdk-python-cosmos", KEY);
    let found = account.minute(300, &[(thief.clone(), 1), (home(), 5)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].category, Category::Area(Area::Country(Country(*b"RO"))));
    assert!(Account::nominal(&found[0]) <= MEDIUM, "{} {}", found[0].p, found[0].per_day);
    assert!(found[0].p <= 0.0033);
    assert!(found[0].unseen_client && !found[0].unseen_key);
    // One test a day, and it does not become normal.
    assert_eq!(account.minute(301, &[(thief.clone(), 1_000_000)]), []);
    account.end_day();
    assert_eq!(account.minute(300, &[(thief, 1)]).len(), 1);
    assert_eq!(account.baseline.sizes()[0], 2);
}

#[test]
fn recall_by_age_of_what_a_thief_can_look_like() {
    let place = who("5.2.3.4", AddressClass::Hosting, "RO", 9009);
    let unseen = with(place.clone(), "azsdk-python-cosmos", KEY);
    let network = with(who("5.2.3.4", AddressClass::Hosting, "NL", 60781), "azsdk-go", KEY);
    for (days, thief, limit) in [
        (14, &unseen, LOW),
        (14, &place, LOW),
        (14, &network, LOW),
        (30, &place, LOW),
        (30, &unseen, MEDIUM),
        (120, &network, LOW),
    ] {
        let mut account = Account::new();
        account.days(days, &[home(), azure("NL")]);
        let found = account.minute(300, &[(thief.clone(), 1)]);
        assert_eq!(found.len(), 1, "{days}");
        let nominal = Account::nominal(&found[0]);
        assert!(nominal <= limit, "{days} days: {nominal} > {limit}");
    }
}

#[test]
fn the_start_set_is_no_news_and_what_comes_later_is_counted() {
    let mut account = Account::new();
    account.days(3, &[home(), azure("NL"), with(home(), "Mozilla/5.0 Chrome", KEY)]);
    assert!(account.baseline.novelty.is_empty());
    let found = account.days(1, &[who("81.2.3.4", AddressClass::Residential, "DE", 3320)]);
    assert_eq!(found.len(), 1);
    let index = found[0].novelty.unwrap().index();
    let now = Timestamp::of_day(account.day);
    assert!(account.baseline.novelty_history(index, now, 90.0).1 > 0.9);
}

#[test]
fn azure_failover_and_rotation_and_refused_requests_are_silent() {
    let mut account = Account::new();
    account.days(30, &[azure("NL"), with(azure("NL"), "azsdk-java-cosmos", entra("app"))]);
    let mut refused = who("5.2.3.4", AddressClass::Hosting, "RO", 9009);
    refused.access = Access::Refused;
    let mut internal = who("6.2.3.4", AddressClass::Azure, "US", 8075);
    (internal.internal, internal.family) = (true, "gateway");
    let rotated =
        with(azure("NL"), "cosmos-netstandard-sdk", Credential::Key(KeyKind::SecondaryMaster));
    let found = account.days(
        5,
        &[
            azure("IE"),
            with(azure("IE"), "azsdk-java-cosmos", entra("app")),
            refused,
            internal,
            rotated,
        ],
    );
    assert_eq!(found, []);
    // A client that Azure never brought is a new combination, in whatever region.
    let stranger = with(azure("NL"), "azsdk-python-cosmos", KEY);
    let found = account.minute(5, &[(stranger, 3)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].category.level(), Level::Combination);
}

#[test]
fn browsers_are_one_client_and_trusted_networks_teach_silently() {
    let mut account = Account::new();
    account.days(20, &[home(), with(home(), "Mozilla/5.0 (Windows) Chrome/114", entra("ann"))]);
    let upgraded = with(home(), "Mozilla/5.0 (Macintosh) Safari", entra("ann"));
    assert_eq!(account.days(1, &[upgraded]), []);
    let mut office = who("90.1.2.3", AddressClass::Trusted, "FR", 3215);
    office.family = "azsdk-go";
    assert_eq!(account.days(1, &[office]), []);
    assert!(account.baseline.areas.contains(&Area::Country(Country(*b"FR"))));
    let abroad =
        with(who("188.1.2.3", AddressClass::Residential, "ES", 3352), "Mozilla/5.0", entra("ann"));
    let found = account.days(1, &[abroad]);
    assert_eq!(
        found[0].novelty,
        Some(Novelty::New { lane: Lane::Interactive, level: Level::Country, unseen_client: false })
    );
    assert!(Account::nominal(&found[0]) > MEDIUM);
}

#[test]
fn churn_of_a_carrier_is_learned() {
    let mut account = Account::new();
    account.days(10, &[home()]);
    let mut nominal = Vec::new();
    for asn in 0..20 {
        let roaming = who("62.1.2.3", AddressClass::Residential, "NL", 20_000 + asn);
        let found = account.days(4, &[home(), roaming]);
        nominal.extend(
            found.iter().filter(|o| o.category.level() == Level::Network).map(Account::nominal),
        );
    }
    assert!(nominal.len() >= 10);
    assert!(nominal[nominal.len() - 1] > LOW, "{nominal:?}");
    // … and does not hide a thief with a client of their own in a new country.
    let thief = with(who("5.2.3.4", AddressClass::Hosting, "RO", 9009), "azsdk-python-cosmos", KEY);
    let found = account.minute(300, &[(thief, 1)]);
    assert!(Account::nominal(&found[0]) <= LOW);
}

#[test]
fn a_million_requests_are_one_observation_of_a_place() {
    let mut many = Account::new();
    let mut few = Account::new();
    for account in [&mut many, &mut few] {
        account.days(20, &[home()]);
    }
    let place = who("81.2.3.4", AddressClass::Residential, "DE", 3320);
    for minute in 0..50 {
        many.minute(minute, &[(place.clone(), 20_000)]);
    }
    few.minute(0, &[(place, 1)]);
    many.end_day();
    few.end_day();
    assert_eq!(many.baseline, few.baseline);
}

#[test]
fn order_inside_a_minute_does_not_matter() {
    let callers = [
        (home(), 3),
        (who("5.2.3.4", AddressClass::Hosting, "RO", 9009), 1),
        (with(who("5.2.3.5", AddressClass::Hosting, "RO", 9009), "azsdk-go", KEY), 1),
        (with(home(), "azsdk-go", entra("bob")), 2),
    ];
    let run = |callers: &[(Who, u64)]| {
        let mut account = Account::new();
        account.days(20, &[home()]);
        let found = account.minute(9, callers);
        account.end_day();
        (found, account.baseline)
    };
    let mut reversed = callers.to_vec();
    reversed.reverse();
    let (found, baseline) = run(&callers);
    assert_eq!((found.clone(), baseline), run(&reversed));
    assert_eq!(found.len(), 2);
    // The more surprising caller speaks for the place.
    assert!(found[0].unseen_client);
}

#[test]
fn a_more_surprising_caller_from_a_place_of_today_is_asked_again() {
    let mut account = Account::new();
    account.days(60, &[home(), with(home(), "Mozilla/5.0", entra("ann"))]);
    let place = who("5.2.3.4", AddressClass::Residential, "RO", 8708);
    let portal = with(place.clone(), "Mozilla/5.0", entra("ann"));
    assert_eq!(account.minute(10, &[(portal, 1)]).len(), 1);
    let thief = with(place.clone(), "azsdk-python-cosmos", KEY);
    let found = account.minute(20, &[(thief.clone(), 1)]);
    assert_eq!(found.len(), 1);
    assert_eq!(account.minute(30, &[(thief, 1)]), []);
}

#[test]
fn quarantine_does_not_teach_until_a_clean_week_on_three_days() {
    let thief = with(who("5.2.3.4", AddressClass::Hosting, "RO", 9009), "azsdk-python-cosmos", KEY);
    let ro = Area::Country(Country(*b"RO"));
    for other_finding in [false, true] {
        let mut account = Account::new();
        account.days(60, &[home()]);
        for day in 0..9 {
            let found = account.days(1, &[home(), thief.clone()]);
            assert_eq!(found.len(), usize::from(day < 8 || other_finding), "{day}");
            if other_finding {
                account.baseline.note_other_finding(Timestamp::of_day(account.day));
            }
        }
        assert_eq!(account.baseline.areas.contains(&ro), !other_finding);
        assert_eq!(account.baseline.sizes()[4], usize::from(other_finding));
    }
}

#[test]
fn what_never_comes_back_leaves_quarantine_and_counts_a_quarter() {
    let mut account = Account::new();
    account.days(60, &[home()]);
    let thief = with(who("5.2.3.4", AddressClass::Hosting, "RO", 9009), "azsdk-python-cosmos", KEY);
    let index = account.minute(1, &[(thief, 1)])[0].novelty.unwrap().index();
    account.days(32, &[home()]);
    assert_eq!(account.baseline.sizes()[4], 0);
    let now = Timestamp::of_day(account.day);
    let (taught, met) = account.baseline.novelty_history(index, now, 90.0);
    assert!((0.2..=0.25).contains(&taught) && met > 0.7, "{taught} {met}");
}

#[test]
fn the_first_public_access_to_a_private_account_is_medium() {
    let mut account = Account::new();
    assert_eq!(account.days(20, &[private("10.1.2.3"), private("10.1.2.77")]), []);
    assert!(account.baseline.is_private(&account.profile));
    for public in [home(), azure("NL")] {
        let found = account.assess(5, &[(public, 1)]);
        assert_eq!(found[0].novelty, Some(Novelty::FirstPublic));
        assert!(Account::nominal(&found[0]) <= MEDIUM, "{}", Account::nominal(&found[0]));
    }
    let mut refused = home();
    refused.access = Access::Refused;
    assert_eq!(account.minute(6, &[(refused, 1)]), []);
    // A private caller from another subnet is a new network, and a soft one.
    let found = account.minute(7, &[(private("10.9.9.9"), 1)]);
    assert_eq!(found[0].category.level(), Level::Network);
}

#[test]
fn travel_is_a_booster_only() {
    let mut account = Account::new();
    account.days(30, &[with(home(), "azsdk-python-cosmos", entra("ann"))]);
    let abroad = with(
        who("188.1.2.3", AddressClass::Residential, "ES", 3352),
        "azsdk-python-cosmos",
        entra("ann"),
    );
    let calm = account.assess(700, &[(abroad.clone(), 1)]);
    account.minute(650, &[(with(home(), "azsdk-python-cosmos", entra("ann")), 1)]);
    let fast = account.assess(700, &[(abroad.clone(), 1)]);
    assert_eq!(fast[0].travel, Some(TravelEvidence { from: Country(*b"NL"), minutes: 50 }));
    assert_eq!(calm[0].travel, None);
    assert!((fast[0].p * 2.0 - calm[0].p).abs() < 1e-15);
    let hosted = Who { class: AddressClass::Hosting, ..abroad };
    assert_eq!(account.assess(700, &[(hosted, 1)])[0].travel, None);
}

#[test]
fn known_but_rare_is_a_share_of_days() {
    let mut account = Account::new();
    let berlin = who("81.2.3.4", AddressClass::Residential, "DE", 3320);
    account.days(2, &[home(), berlin.clone()]);
    account.days(200, &[home()]);
    let found = account.minute(3, &[(berlin.clone(), 1)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].novelty, None);
    assert_eq!(found[0].last_seen_days, Some(201.0));
    assert!(found[0].p < 0.02 && found[0].p > 0.001, "{}", found[0].p);
    assert_eq!(account.minute(4, &[(berlin, 1)]), []);
}

#[test]
fn late_records_move_first_seen_and_leave_today_alone() {
    let mut account = Account::new();
    account.days(30, &[home()]);
    account.minute(5, &[(home(), 1)]);
    let late_minute = (account.day - 3) * MINUTES + 10;
    let berlin = with(who("81.2.3.4", AddressClass::Residential, "DE", 3320), "Mozilla/5.0", KEY);
    let mut cell = cell_at(late_minute, &[(berlin.clone(), 1), (home(), 1)]);
    cell.mark_late();
    let cx = PlaceContext { profile: &account.profile, prior: &account.prior };
    let judged = account.baseline.assess(late_minute, &cell, &cx);
    assert_eq!(judged.len(), 1);
    assert!(judged[0].row.late);
    let before = account.baseline.judged.clone();
    account.baseline.learn_late(late_minute, &cell, &judged, &account.profile);
    assert_eq!((account.baseline.judged_day, &account.baseline.judged), (account.day, &before));
    let first = account.baseline.areas.get(&Area::Country(Country(*b"DE"))).unwrap().first_day;
    assert_eq!(first, account.day - 3);
    assert_eq!(account.minute(6, &[(berlin, 1)]), []);
}

mod bounds;
