//! Whole-baseline tests on a plain synthetic account: 40 kB every ten minutes by day, a tenth of
//! it by night, one network, three operations.
use super::*;
use crate::detect::egress::{Subject, judge};
use crate::detect::{Ceiling, Finding, Severity};
use crate::event::{
    Access, Category, ConnectionMode, Credential, KeyKind, Operation, Place, Request, Resource,
};
use crate::ids::{AccountId, Cloud, PrincipalId, Text};
use crate::intel::view::{AddressClass, AddressInfo, Country};
use crate::profile::Profile;
use crate::store::codec;
use crate::store::schema::egress::EgressV1;

/// 2025-01-06, a Monday.
const FIRST_DAY: i64 = 20_094;
const LOW: [f64; 3] = [0.0118, 0.00118, 0.000118];

/// Who takes how much in a minute.
#[derive(Clone)]
struct Take {
    asn: u32,
    credential: Credential,
    operation: Operation,
    responses: u64,
    bytes: u64,
}

fn app(operation: Operation, bytes: u64) -> Take {
    let credential = Credential::Key(KeyKind::PrimaryMaster);
    Take { asn: 1136, credential, operation, responses: (bytes / 2000).max(1), bytes }
}

fn cell(minute: i64, takes: &[Take]) -> Cell {
    let mut cell = Cell::default();
    for t in takes {
        let request = Request {
            category: Category::DataPlaneRequests,
            command: crate::event::QueryText::Absent,
            count: t.responses,
            interval_ms: 0,
            activity_id: Some(7),
            operation: t.operation,
            operation_name: Text::from("Query"),
            resource: Resource::Document,
            access: Access::Success,
            status: 200,
            client_ip: Some([198, 51, 100, (t.asn % 200) as u8].into()),
            user_agent: Text::from("app/1.0"),
            client_family: Text::from("app"),
            credential: t.credential.clone(),
            connection: ConnectionMode::Direct,
            request_bytes: 0,
            response_bytes: t.bytes,
            response_bytes_max: (t.bytes / t.responses).max(1) * 2,
            charge_milli: 0,
            region: Text::from("westeurope"),
            database: Text::from("shop"),
            container: Text::from("orders"),
            change_feed: false,
            internal: false,
        };
        let info = AddressInfo {
            class: AddressClass::Residential,
            country: Country::parse(if t.asn == 1136 { "NL" } else { "RU" }),
            asn: Some(t.asn),
            organisation: Text::from(""),
            city: None,
            azure_region: None,
            listed_ever: false,
        };
        cell.add_request((Timestamp::of_minute(minute), Place::NOWHERE), &request, &info);
    }
    cell
}

/// Drives one account as its model does.
#[derive(Clone)]
struct Driver {
    baseline: EgressBaseline,
    priors: Priors,
    profile: Profile,
    findings: Vec<Finding>,
    p_days: Vec<f64>,
    contributions: usize,
}

impl Driver {
    fn new() -> Driver {
        Driver {
            baseline: EgressBaseline::new(),
            priors: Priors::default(),
            profile: Profile::default(),
            findings: Vec::new(),
            p_days: Vec::new(),
            contributions: 0,
        }
    }

    /// Deterministic wobble of ±20 %.
    fn usual(slot: i64) -> Vec<Take> {
        let hash = xxhash_rust::xxh3::xxh3_64(&slot.to_le_bytes());
        let wobble = 0.8 + 0.4 * (hash % 1000) as f64 / 1000.0;
        let night = slot.rem_euclid(144) < 48;
        let bytes = (40_000.0 * wobble * if night { 0.1 } else { 1.0 }) as u64;
        vec![
            app(Operation::Query, bytes / 2),
            app(Operation::Read, bytes / 3),
            app(Operation::ReadFeed, bytes / 6),
        ]
    }

    /// One day: usual traffic plus what `extra` adds in a slot of the day; hours in `gaps` have no
    /// logs.
    fn day(&mut self, day: i64, extra: impl Fn(i64) -> Vec<Take>, gaps: std::ops::Range<i64>) {
        let profile = self.profile.egress.clone();
        for slot in day * 144..day * 144 + 144 {
            let hour = slot.div_euclid(6);
            let gap = gaps.contains(&hour.rem_euclid(24));
            if !gap {
                let mut takes = Self::usual(slot);
                takes.extend(extra(slot - day * 144));
                self.baseline.add_cell(slot * 10, &cell(slot * 10, &takes), &profile);
            }
            if slot.rem_euclid(6) == 5 {
                let status = if gap { HourStatus::Gap } else { HourStatus::Logged };
                self.baseline.close_hour(hour, status, &self.priors, &profile);
            }
            if !gap {
                self.observe(Timestamp::of_minute((slot + 1) * 10));
            }
        }
        let given = self.baseline.close_day(day, &self.priors, &profile);
        self.contributions += usize::from(given.is_some());
    }

    fn observe(&mut self, end: Timestamp) {
        let profile = self.profile.egress.clone();
        let Some(o) = self.baseline.close_slot(end, &self.priors, &profile) else { return };
        self.p_days.push(o.p_day);
        let account = AccountId::new("shop", Cloud::Public);
        let maturity = self.baseline.maturity(end, &profile);
        let subject = Subject { account: &account, resource_id: None, maturity };
        let found = judge(&o, &subject, &self.priors.egress, &profile, LOW);
        if !found.is_empty() {
            self.baseline.alerted(end, Some(&o), &profile);
            self.findings.extend(found);
        }
    }

    fn days(&mut self, days: std::ops::Range<i64>) {
        for day in days {
            self.day(FIRST_DAY + day, |_| Vec::new(), 0..0);
        }
    }

    fn grown(days: i64) -> Driver {
        let mut d = Driver::new();
        d.days(0..days);
        d
    }
}

/// About one usual day.
const DAY_BYTES: u64 = 4_032_000;

fn thief(asn: u32, credential: Credential, bytes: u64) -> Vec<Take> {
    vec![Take { asn, credential, operation: Operation::Query, responses: bytes / 5000 + 1, bytes }]
}

fn own_key() -> Credential {
    Credential::Key(KeyKind::PrimaryMaster)
}

#[test]
fn a_benign_month_is_quiet_and_p_only_falls_within_a_day() {
    let d = Driver::grown(40);
    assert!(d.findings.is_empty(), "{:?}", d.findings);
    assert!(d.p_days.len() > 30 * 144);
    // Judging begins in the first cell that ends seven days after the first one.
    for day in d.p_days[1..].chunks(144) {
        assert!(day.windows(2).all(|w| w[1] <= w[0]));
    }
    let now = Timestamp::of_day(FIRST_DAY + 40);
    let m = d.baseline.maturity(now, &d.profile.egress);
    assert_eq!((m.state, m.active_days), (MaturityState::Mature, 40));
    assert!(d.contributions > 30);
}

#[test]
fn the_expectation_learns_the_day() {
    let d = Driver::grown(30);
    let hour = |h: i64| d.baseline.streams[0].expected((FIRST_DAY + 30) * 24 + h);
    assert!((hour(12) / 240_000.0 - 1.0).abs() < 0.1, "{}", hour(12));
    assert!((hour(3) / 24_000.0 - 1.0).abs() < 0.3, "{}", hour(3));
    let parts: f64 = d.baseline.streams[1..].iter().map(|s| s.expected_day(FIRST_DAY + 30)).sum();
    assert!((parts / d.baseline.streams[0].expected_day(FIRST_DAY + 30) - 1.0).abs() < 0.02);
}

#[test]
fn a_burst_by_the_own_client_is_low_within_twenty_minutes() {
    let mut d = Driver::grown(40);
    let burst = |slot: i64| {
        if (60..64).contains(&slot) { thief(1136, own_key(), DAY_BYTES / 2) } else { Vec::new() }
    };
    d.day(FIRST_DAY + 40, burst, 0..0);
    let first = d.findings.first().expect("a finding");
    let begun = Timestamp::of_minute((FIRST_DAY + 40) * 1440 + 600);
    assert!(first.end.since(begun) <= 20 * 60_000, "{}", first.end.since(begun) / 60_000);
    assert_eq!(first.test.ceiling, Some((Severity::Low, Ceiling::VolumeAlone)));
    assert_eq!(first.test.per_day, 1.0);
    assert_eq!(first.dedup, "residential/NL/AS1136");
    assert!(first.end.since(first.start) <= 26 * crate::time::HOUR_MS);
    // One story, told again at most as it grows threefold.
    assert!(d.findings.len() <= 3, "{}", d.findings.len());
}

#[test]
fn a_burst_from_a_new_network_may_be_medium_and_names_it() {
    let mut d = Driver::grown(40);
    let burst = |slot: i64| {
        if (60..64).contains(&slot) { thief(64_500, own_key(), 2 * DAY_BYTES) } else { Vec::new() }
    };
    d.day(FIRST_DAY + 40, burst, 0..0);
    let last = d.findings.last().expect("a finding");
    assert_eq!(last.test.ceiling, Some((Severity::Medium, Ceiling::NeedsAnotherKind)));
    assert!(last.dedup.starts_with("residential/RU/AS64500"), "{}", last.dedup);
    assert_eq!(last.caller.country, Country::parse("RU"));
    let crate::detect::Evidence::Volume(v) = &last.evidence else { panic!("volume") };
    assert_eq!(v.hours.len(), 72);
    assert!(v.hours.iter().all(|h| h.quantiles.is_sorted()));
    assert!(v.hours[71].thresholds.is_sorted());
    assert!(v.new_network.as_ref().is_some_and(|n| n.1 > DAY_BYTES as f64));
}

#[test]
fn a_new_principal_that_dominates_lifts_the_ceiling() {
    let mut d = Driver::grown(40);
    let who = Credential::Entra(PrincipalId::new("0a0a0a0a-0000-0000-0000-000000000001"));
    let burst = |slot: i64| {
        if (60..64).contains(&slot) { thief(1136, who.clone(), DAY_BYTES) } else { Vec::new() }
    };
    d.day(FIRST_DAY + 40, burst, 0..0);
    let first = d.findings.first().expect("a finding");
    assert_eq!(first.test.ceiling, Some((Severity::Medium, Ceiling::NeedsAnotherKind)));
    assert!(first.caller.principal.is_some());
}

#[test]
fn a_young_baseline_caps_at_low_and_a_newborn_one_is_silent() {
    let burst = |slot: i64| {
        if (60..64).contains(&slot) { thief(64_500, own_key(), 5 * DAY_BYTES) } else { Vec::new() }
    };
    let mut d = Driver::grown(3);
    d.day(FIRST_DAY + 3, burst, 0..0);
    assert!(d.findings.is_empty());
    let mut d = Driver::grown(16);
    d.day(FIRST_DAY + 16, burst, 0..0);
    let first = d.findings.first().expect("a finding");
    assert_eq!(first.maturity.state, MaturityState::Provisional);
    assert_eq!(first.test.ceiling.map(|c| c.0), Some(Severity::Low));
}

#[test]
fn a_drip_is_found_within_a_day_and_restarts_the_sum() {
    let mut d = Driver::grown(40);
    let drip = |_: i64| thief(1136, own_key(), DAY_BYTES / 144);
    d.day(FIRST_DAY + 40, drip, 0..0);
    let first = d.findings.first().expect("a finding within the day");
    let begun = Timestamp::of_day(FIRST_DAY + 40);
    assert!(first.end.since(begun) < 18 * crate::time::HOUR_MS);
    let mut q = d.baseline.clone();
    q.alerted(begun, None, &d.profile.egress);
    assert_eq!(q.drip, Drip::default());
}

#[test]
fn a_recurring_batch_is_absorbed() {
    let mut d = Driver::grown(30);
    let batch = |slot: i64| {
        if (12..15).contains(&slot) {
            vec![app(Operation::Query, DAY_BYTES / 6)]
        } else {
            Vec::new()
        }
    };
    for day in 30..50 {
        d.day(FIRST_DAY + day, batch, 0..0);
    }
    let late = Timestamp::of_day(FIRST_DAY + 40);
    let days: Vec<i64> = d.findings.iter().map(|f| f.end.day() - FIRST_DAY).collect();
    assert!(d.findings.iter().all(|f| f.end < late), "still surprised after ten days: {days:?}");
}

#[test]
fn a_gap_is_unknown_and_not_zero() {
    let mut whole = Driver::grown(20);
    let mut holed = whole.clone();
    whole.day(FIRST_DAY + 20, |_| Vec::new(), 0..0);
    holed.day(FIRST_DAY + 20, |_| Vec::new(), 9..15);
    let noon = (FIRST_DAY + 21) * 24 + 12;
    let e = |d: &Driver| d.baseline.streams[0].expected(noon);
    assert!((e(&holed) / e(&whole) - 1.0).abs() < 0.03, "{} {}", e(&holed), e(&whole));
    assert_eq!(holed.baseline.streams[0].observed((FIRST_DAY + 20) * 24 + 10), None);
    assert!(holed.findings.is_empty());
    for day in 21..24 {
        holed.day(FIRST_DAY + day, |_| Vec::new(), 6..20);
    }
    let now = Timestamp::of_day(FIRST_DAY + 24);
    let m = holed.baseline.maturity(now, &holed.profile.egress);
    assert_eq!(m.state, MaturityState::Degraded);
    // A day without any logs gives the population nothing.
    let before = holed.contributions;
    holed.day(FIRST_DAY + 24, |_| Vec::new(), 0..24);
    assert_eq!(holed.contributions, before);
}

#[test]
fn the_order_of_requests_in_a_minute_does_not_matter() {
    let mut takes = Driver::usual(FIRST_DAY * 144 + 70);
    takes.extend(thief(64_500, own_key(), 90_000));
    takes.extend(thief(64_501, Credential::ResourceToken, 70_000));
    let minute = FIRST_DAY * 1440 + 700;
    let profile = Profile::default().egress;
    let mut forward = EgressBaseline::new();
    forward.add_cell(minute, &cell(minute, &takes), &profile);
    takes.reverse();
    let mut backward = EgressBaseline::new();
    backward.add_cell(minute, &cell(minute, &takes), &profile);
    assert_eq!(forward, backward);
}

#[test]
fn same_in_same_out_and_the_persisted_form_goes_on_alike() {
    let mut d = Driver::grown(33);
    let burst = |slot: i64| {
        if (60..63).contains(&slot) { thief(64_500, own_key(), DAY_BYTES) } else { Vec::new() }
    };
    d.day(FIRST_DAY + 33, burst, 0..0);
    let encoded = |b: &EgressBaseline| codec::encode(&EgressV1::from(b), 1 << 20).unwrap();
    let bytes = encoded(&d.baseline);
    let mirror: EgressV1 = codec::decode(&bytes, 1 << 20).unwrap();
    let mut restored = d.clone();
    restored.baseline = mirror.try_into().unwrap();
    assert_eq!(restored.baseline, d.baseline);
    assert_eq!(encoded(&restored.baseline), bytes);
    d.days(34..36);
    restored.days(34..36);
    assert_eq!(restored.baseline, d.baseline);
    assert!(bytes.len() < 24_000, "{}", bytes.len());
}

#[test]
fn a_newborn_baseline_survives_persistence() {
    let newborn = EgressBaseline::new();
    let back: EgressBaseline = EgressV1::from(&newborn).try_into().unwrap();
    assert_eq!(back, newborn);
}

#[test]
fn memory_stays_within_the_budget() {
    let d = Driver::grown(30);
    let bytes = size_of::<EgressBaseline>() + d.baseline.heap_bytes();
    assert!(bytes <= 20 * 1024, "{bytes}");
}

#[test]
fn bands_contain_the_usual_and_thresholds_lie_above() {
    let d = Driver::grown(30);
    let noon = (FIRST_DAY + 30) * 24 + 12;
    let band = d.baseline.hour_band(noon, LOW, &d.priors, &d.profile.egress);
    assert!(band.quantiles.is_sorted() && band.thresholds.is_sorted());
    assert!(band.quantiles[0] < 240_000.0 && 240_000.0 < band.quantiles[4], "{band:?}");
    assert!(band.thresholds[0] > band.quantiles[4]);
    assert!(d.baseline.hourly_volume(0.95).is_some_and(|v| v > 200_000.0));
    assert!(d.baseline.largest_response(0.5).is_some());
}

#[test]
fn an_open_story_is_told_again_only_when_it_grows_threefold_or_another_caller_joins() {
    let mut d = Driver::grown(40);
    let day = |slot: i64| match slot {
        60..63 => thief(1136, own_key(), DAY_BYTES / 2),
        // The same caller goes on a little; then another one comes.
        66..68 => thief(1136, own_key(), DAY_BYTES / 10),
        100..103 => thief(64_500, Credential::ResourceToken, DAY_BYTES),
        _ => Vec::new(),
    };
    d.day(FIRST_DAY + 40, day, 0..0);
    let slot_of = |f: &Finding| f.end.minute().rem_euclid(1440) / 10;
    let told: Vec<i64> = d.findings.iter().map(slot_of).collect();
    assert!(told.iter().any(|s| (61..64).contains(s)), "{told:?}");
    assert!(!told.iter().any(|s| (67..100).contains(s)), "{told:?}");
    assert!(told.iter().any(|s| (101..104).contains(s)), "{told:?}");
}
