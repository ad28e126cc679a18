//! Lives of one account: the look-alikes that must fall silent and the attacks that must not.
use super::entry::operation_bit;
use super::*;
use crate::baseline::cell::Cell;
use crate::baseline::maturity::MaturityState;
use crate::detect::{Ceiling, Finding, Severity, key_principal};
use crate::ids::{AccountId, Cloud};
use crate::intel::view::{AddressClass, Country};
use crate::profile::{KeysProfile, Profile};
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS};

/// This kind's share of the shipped budgets, per account-day.
const LOW: f64 = 0.033333 * 1.5 / 8.5;
const MEDIUM: f64 = 0.0033333 * 1.5 / 8.5;

const LIST: CredentialOperation = CredentialOperation::CosmosListKeys;
const READONLY: CredentialOperation = CredentialOperation::CosmosReadonlyKeys;
const STRINGS: CredentialOperation = CredentialOperation::CosmosConnectionStrings;
const REGENERATE: CredentialOperation = CredentialOperation::CosmosRegenerateKey;
const TRIPLE: [CredentialOperation; 3] = [LIST, READONLY, STRINGS];

#[derive(Clone)]
struct Who {
    id: &'static str,
    kind: PrincipalType,
    app: &'static str,
    address: AddressInfo,
    guest: bool,
}

fn address(class: AddressClass, country: &str, asn: u32) -> AddressInfo {
    AddressInfo {
        class,
        country: Country::parse(country),
        asn: Some(asn),
        organisation: Text::from(""),
        city: None,
        azure_region: None,
        listed_ever: false,
    }
}

fn terraform() -> Who {
    Who {
        id: "terraform",
        kind: PrincipalType::ServicePrincipal,
        app: "tf-app",
        address: address(AddressClass::Azure, "NL", 8075),
        guest: false,
    }
}

fn admin() -> Who {
    Who {
        id: "admin",
        kind: PrincipalType::User,
        app: judge::PORTAL_APP_ID,
        address: address(AddressClass::Residential, "NL", 1136),
        guest: false,
    }
}

fn stranger() -> Who {
    Who {
        id: "stranger",
        kind: PrincipalType::ServicePrincipal,
        app: "other-app",
        address: address(AddressClass::Azure, "NL", 8075),
        guest: false,
    }
}

struct Life {
    baseline: PrincipalsBaseline,
    profile: KeysProfile,
    directory: PrincipalDirectory,
    sequence: u64,
    day: i64,
}

impl Life {
    fn new() -> Life {
        Life {
            baseline: PrincipalsBaseline::default(),
            profile: Profile::default().keys,
            directory: PrincipalDirectory::default(),
            sequence: 0,
            day: 20_000,
        }
    }

    fn operation(&mut self, who: &Who, at: Timestamp, kind: CredentialOperation) -> KeyOperation {
        self.sequence += 1;
        KeyOperation {
            time: at,
            digest: self.sequence,
            place: Place::NOWHERE,
            correlation_id: Text::from(format!("c{}", self.sequence)),
            operation: kind,
            outcome: Outcome::Succeeded,
            principal: PrincipalId::new(who.id),
            principal_name: Text::from(who.id),
            principal_type: who.kind,
            guest: who.guest,
            app_id: Text::from(who.app),
            role: Text::from("Contributor"),
            ip: None,
            address: who.address.clone(),
        }
    }

    /// Feeds records as the account does: minute by minute, run ends included.
    fn feed(&mut self, records: Vec<KeyOperation>) -> Vec<Finding> {
        let mut cells: std::collections::BTreeMap<i64, Cell> = Default::default();
        for record in records {
            cells.entry(record.time.minute()).or_default().add_key_operation(record);
        }
        let mut findings = Vec::new();
        for (minute, cell) in cells {
            findings.extend(self.due_before(minute));
            findings.extend(self.close(minute, &cell));
        }
        findings
    }

    fn due_before(&mut self, minute: i64) -> Vec<Finding> {
        let mut findings = Vec::new();
        while let Some(due) = self.baseline.next_due(&self.profile).filter(|due| *due < minute) {
            findings.extend(self.close(due, &Cell::default()));
        }
        findings
    }

    fn close(&mut self, minute: i64, cell: &Cell) -> Vec<Finding> {
        let seen = self.baseline.assess(minute, cell, &self.directory, &self.profile);
        self.baseline.learn(minute, cell, &self.directory, &self.profile);
        let account = AccountId::new("orders", Cloud::Public);
        key_principal::judge(&seen, &account, None, &self.profile)
    }

    fn run(&mut self, who: &Who, hour: i64, kinds: &[CredentialOperation]) -> Vec<Finding> {
        let at = Timestamp::of_day(self.day).plus_ms(hour * HOUR_MS);
        let records = kinds
            .iter()
            .enumerate()
            .map(|(i, kind)| self.operation(who, at.plus_ms(1000 * i as i64), *kind))
            .collect();
        let mut findings = self.feed(records);
        findings.extend(self.due_before(at.minute() + 20));
        findings
    }

    fn night(&mut self) {
        let findings = self.due_before((self.day + 1) * 1440);
        assert!(findings.is_empty());
        self.baseline.close_day(self.day, true, &self.profile);
        self.day += 1;
    }
}

fn rate(finding: &Finding) -> f64 {
    finding.test.p * finding.test.per_day
}
fn loud(findings: &[Finding]) -> Vec<f64> {
    findings.iter().map(rate).filter(|r| *r <= LOW).collect()
}
fn strongest(findings: &[Finding]) -> f64 {
    findings.iter().map(rate).fold(f64::INFINITY, f64::min)
}

/// An account with a daily Terraform and a person in the portal every third day.
fn settled(days: i64) -> Life {
    let mut life = Life::new();
    for day in 0..days {
        let mut findings = life.run(&terraform(), 3, &TRIPLE);
        if day % 3 == 1 {
            findings.extend(life.run(&admin(), 9 + day % 5, &[LIST]));
        }
        assert_eq!(loud(&findings), [0.0; 0], "day {day}: {findings:#?}");
        life.night();
    }
    life
}

/// A baseline with every field in use.
pub(crate) fn lived_in() -> PrincipalsBaseline {
    let mut life = settled(12);
    let at = Timestamp::of_day(life.day).plus_ms(9 * HOUR_MS);
    let mut refused = life.operation(&stranger(), at, LIST);
    refused.outcome = Outcome::Failed;
    let mut accepted = life.operation(&terraform(), at, REGENERATE);
    accepted.outcome = Outcome::Accepted;
    life.feed(vec![refused, accepted]);
    life.baseline
}

#[test]
fn terraform_and_a_person_in_the_portal_never_alert_while_the_picture_forms() {
    let life = settled(60);
    let now = Timestamp::of_day(life.day);
    assert_eq!(life.baseline.maturity(now, &life.profile).state, MaturityState::Mature);
    assert!(life.baseline.heap_bytes() <= 4096, "{}", life.baseline.heap_bytes());
}

#[test]
fn a_weekly_scanner_a_deployment_and_a_rotation_fall_silent() {
    let mut life = Life::new();
    let scanner = Who { id: "scanner", app: "scan-app", ..terraform() };
    let rotation = Who { id: "rotation", kind: PrincipalType::ManagedIdentity, ..terraform() };
    let deployment = Who { id: "bicep", app: "deploy-app", ..terraform() };
    for day in 0..70 {
        let mut findings = Vec::new();
        if day % 7 == 2 {
            findings.extend(life.run(&scanner, 2, &[LIST, READONLY]));
        }
        if day % 7 == 4 {
            findings.extend(life.run(&rotation, 1, &[REGENERATE, LIST]));
        }
        if day % 5 == 0 {
            findings.extend(life.run(&deployment, 8 + day % 9, &[LIST]));
        }
        if day >= 22 {
            assert_eq!(loud(&findings), [0.0; 0], "day {day}: {findings:#?}");
        }
        assert!(findings.iter().all(|f| rate(f) > MEDIUM), "day {day}");
        life.night();
    }
}

#[test]
fn a_strange_workload_on_a_mature_account_alerts_and_more_so_from_elsewhere() {
    for days in [30, 60, 120] {
        let mut life = settled(days);
        let plain = strongest(&life.run(&stranger(), 3, &[LIST]));
        assert!(plain <= LOW, "{days}: {plain}");
        let mut life = settled(days);
        let far = Who { address: address(AddressClass::Hosting, "RO", 9009), ..stranger() };
        let odd = strongest(&life.run(&far, 22, &[LIST]));
        assert!(odd <= MEDIUM && odd < plain / 3.0, "{days}: {odd} {plain}");
    }
}

#[test]
fn a_strange_person_alerts_but_a_new_admin_in_the_portal_stays_low() {
    let mut life = settled(60);
    let colleague = Who { id: "colleague", ..admin() };
    let findings = life.run(&colleague, 10, &[LIST]);
    assert!(strongest(&findings) <= LOW, "{findings:#?}");
    assert_eq!(findings[0].test.ceiling, Some((Severity::Low, Ceiling::PlaceKnown)));
    let mut life = settled(60);
    let far = Who {
        id: "thief",
        app: "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        address: address(AddressClass::Residential, "BR", 7738),
        ..admin()
    };
    let findings = life.run(&far, 23, &[LIST]);
    assert!(strongest(&findings) <= MEDIUM, "{}", strongest(&findings));
    assert_eq!(findings[0].test.ceiling, None);
}

#[test]
fn known_terraform_from_a_new_network_alerts_with_its_application_unchanged() {
    for days in [4, 10, 30, 90] {
        let mut life = settled(days);
        let moved = Who { address: address(AddressClass::Hosting, "NL", 14061), ..terraform() };
        let findings = life.run(&moved, 3, &TRIPLE);
        let p = strongest(&findings);
        assert!(p <= LOW, "{days}: {p} {findings:#?}");
        // At another hour as well: two independent properties.
        let mut life = settled(days);
        let both = strongest(&life.run(&moved, 17, &TRIPLE));
        assert!(both < p / 4.0, "{days}: {both} {p}");
    }
}

#[test]
fn known_terraform_without_its_triple_alerts_when_the_run_is_over() {
    for days in [4, 10, 30, 90] {
        let mut life = settled(days);
        let findings = life.run(&terraform(), 3, &[LIST]);
        assert!(strongest(&findings) <= LOW, "{days}: {}", strongest(&findings));
        assert!(findings[0].decided.since(findings[0].end) <= 5 * MINUTE_MS);
        let mut life = settled(days);
        assert!(strongest(&life.run(&terraform(), 3, &[REGENERATE])) <= LOW);
    }
}

#[test]
fn a_triple_over_a_minute_boundary_is_still_a_triple() {
    let mut life = settled(20);
    let at = Timestamp::of_day(life.day).plus_ms(3 * HOUR_MS + MINUTE_MS - 1500);
    let records = TRIPLE
        .iter()
        .enumerate()
        .map(|(i, kind)| life.operation(&terraform(), at.plus_ms(1000 * i as i64), *kind))
        .collect();
    let mut findings = life.feed(records);
    findings.extend(life.due_before(at.minute() + 20));
    assert_eq!(loud(&findings), [0.0; 0], "{findings:#?}");
}

#[test]
fn a_new_pipeline_alerts_at_most_until_its_third_day() {
    let mut life = settled(60);
    let pipeline = Who { address: address(AddressClass::Hosting, "DE", 24940), ..stranger() };
    let mut alerts = Vec::new();
    for day in 0..12 {
        life.run(&terraform(), 3, &TRIPLE);
        if !loud(&life.run(&pipeline, 14, &[LIST])).is_empty() {
            alerts.push(day);
        }
        life.night();
    }
    assert!(alerts.contains(&0) && alerts.iter().all(|day| *day < 3), "{alerts:?}");
}

#[test]
fn a_scanner_known_in_the_tenant_is_ordinary_on_a_mature_account_and_fixed_terraform_is_not() {
    let known = |accounts, expansions, days| DirectoryEntry {
        principal: PrincipalId::new("stranger"),
        principal_type: PrincipalType::ServicePrincipal,
        accounts,
        subscriptions: 1,
        runs: 60,
        days,
        expansions,
        first_day: 19_000,
        last_day: 20_000,
    };
    let mut life = settled(60);
    life.directory = PrincipalDirectory::new(1, vec![known(180, 4.0, 10.0)]);
    assert_eq!(loud(&life.run(&stranger(), 3, &[LIST])), [0.0; 0]);
    let mut life = settled(60);
    life.directory = PrincipalDirectory::new(1, vec![known(3, 0.0, 50.0)]);
    let findings = life.run(&stranger(), 3, &TRIPLE);
    assert!(strongest(&findings) <= LOW, "{findings:#?}");
}

#[test]
fn a_dormant_principal_that_wakes_alerts() {
    let mut life = settled(30);
    let tool = Who { id: "tool", app: "tool-app", ..terraform() };
    for _ in 0..10 {
        life.run(&tool, 5, &[LIST]);
        life.night();
    }
    for _ in 0..65 {
        life.run(&terraform(), 3, &TRIPLE);
        life.night();
    }
    let findings = life.run(&tool, 5, &[LIST]);
    assert!(strongest(&findings) <= LOW, "{findings:#?}");
}

#[test]
fn break_glass_alerts_on_every_use_and_never_teaches() {
    let mut life = settled(30);
    life.profile.break_glass = vec!["Emergency".to_owned()];
    let emergency = Who { id: "emergency", ..admin() };
    for _ in 0..6 {
        let findings = life.run(&emergency, 10, &[LIST]);
        let rule = findings.first().and_then(|f| f.test.rule);
        assert!(rule.is_some_and(|r| r.severity >= Severity::Medium), "{findings:#?}");
        life.night();
    }
    assert!(life.baseline.entry(&PrincipalId::new("emergency")).is_none());
}

#[test]
fn refused_attempts_before_success_and_guests_add_to_the_surprise() {
    let mut life = settled(60);
    let plain = strongest(&life.run(&stranger(), 3, &[LIST]));
    let mut life = settled(60);
    let mut refused = life.operation(&stranger(), Timestamp::of_day(life.day), LIST);
    refused.outcome = Outcome::Failed;
    refused.time = Timestamp::of_day(life.day).plus_ms(2 * HOUR_MS + 50 * MINUTE_MS);
    assert!(life.feed(vec![refused]).is_empty());
    let findings = life.run(&stranger(), 3, &[LIST]);
    assert!(strongest(&findings) < plain / 5.0);
    let guest = Who { id: "guest", guest: true, ..admin() };
    let mut life = settled(60);
    let member = strongest(&life.run(&Who { guest: false, ..guest.clone() }, 10, &[LIST]));
    let mut life = settled(60);
    assert!(strongest(&life.run(&guest, 10, &[LIST])) < member / 5.0);
}

#[test]
fn start_accept_and_success_of_one_operation_count_once() {
    let mut life = settled(10);
    let at = Timestamp::of_day(life.day).plus_ms(3 * HOUR_MS);
    let outcomes = [
        (0, Outcome::Started),
        (1, Outcome::Accepted),
        (70, Outcome::Succeeded),
        (71, Outcome::Succeeded),
    ];
    let mut records = Vec::new();
    for (second, outcome) in outcomes {
        let mut record = life.operation(&terraform(), at.plus_ms(second * 1000), REGENERATE);
        record.outcome = outcome;
        record.correlation_id = Text::from("one");
        records.push(record);
    }
    life.feed(records);
    let entry = life.baseline.entry(&PrincipalId::new("terraform"));
    let counted = entry.map(|e| e.operations[3]);
    assert_eq!(counted, Some(1.0));
    assert_eq!(operation_bit(REGENERATE).trailing_zeros(), 3);
}

#[test]
fn a_flood_of_principals_stays_bounded_and_keeps_the_regular_ones() {
    let mut life = settled(30);
    for number in 0..10_000_u32 {
        let at = Timestamp::of_day(life.day).plus_ms(4 * HOUR_MS + i64::from(number) * 100);
        let mut record = life.operation(&stranger(), at, LIST);
        record.principal = PrincipalId::new(&format!("p{number}"));
        life.feed(vec![record]);
    }
    assert!(life.baseline.entries.len() <= 32);
    assert!(life.baseline.entry(&PrincipalId::new("terraform")).is_some());
    assert!(life.baseline.heap_bytes() < 48 << 10, "{}", life.baseline.heap_bytes());
}

#[test]
fn days_without_logs_add_no_exposure() {
    let mut life = settled(10);
    life.baseline.close_day(life.day + 400, false, &life.profile);
    assert_eq!(life.baseline.active_days, 10);
    assert!(life.baseline.exposure_days < 1.0);
    let _ = DAY_MS;
}

#[test]
fn late_operations_teach_without_moving_time_back() {
    let mut life = settled(20);
    let before = life.baseline.entry(&PrincipalId::new("terraform")).map(|e| e.last_seen);
    let at = Timestamp::of_day(life.day - 5).plus_ms(13 * HOUR_MS);
    let mut cell = Cell::default();
    let record = life.operation(&terraform(), at, LIST);
    cell.add_key_operation(record);
    let unknown = life.operation(&stranger(), at, LIST);
    cell.add_key_operation(unknown);
    let seen = life.baseline.assess(at.minute(), &cell, &life.directory, &life.profile);
    assert_eq!(seen.len(), 2);
    life.baseline.learn_late(at.minute(), &cell, &life.directory, &life.profile);
    let terraform = life.baseline.entry(&PrincipalId::new("terraform"));
    assert_eq!(terraform.map(|e| e.last_seen), before);
    let stranger = life.baseline.entry(&PrincipalId::new("stranger"));
    assert_eq!(stranger.map(|e| e.first_seen), Some(at));
    life.night();
    assert_eq!(loud(&life.run(&super::tests::terraform(), 3, &TRIPLE)), [0.0; 0]);
}

mod innocent;
