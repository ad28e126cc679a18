//! Sweeps that must alert from the first minute, and estates that must fall silent.
use super::model::{Advance, TenantModel};
use super::operation::TenantOperation;
use crate::baseline::principals::PrincipalDirectory;
use crate::detect::{AlertKind, Evidence, Finding};
use crate::event::{CredentialOperation, Outcome, Place, PrincipalType};
use crate::ids::{AccountId, Cloud, PrincipalId, SubscriptionId, Text};
use crate::intel::view::{AddressClass, AddressInfo, Country};
use crate::profile::Profile;
use crate::time::{HOUR_MS, MINUTE_MS, Timestamp};

/// This kind's share of the shipped budgets, per account-day; its floor is Medium.
const MEDIUM: f64 = 0.0033333 / 8.5;
const HIGH: f64 = 0.00033333 / 8.5;

const DAY: i64 = 20_000;
const TRIPLE: [&str; 3] = ["listkeys", "readonlykeys", "listconnectionstrings"];
const USER: PrincipalType = PrincipalType::User;
const WORKLOAD: PrincipalType = PrincipalType::ServicePrincipal;

struct Tenant {
    model: TenantModel,
    profile: Profile,
    digest: u128,
}

fn at(day: i64, hour: i64, second: i64) -> Timestamp {
    Timestamp::of_day(day).plus_ms(hour * HOUR_MS + second * 1000)
}

impl Tenant {
    fn new() -> Tenant {
        Tenant { model: TenantModel::default(), profile: Profile::default(), digest: 0 }
    }

    fn operation(
        &mut self,
        who: (&str, PrincipalType),
        time: Timestamp,
        target: &str,
        action: &str,
    ) -> TenantOperation {
        self.digest += 1;
        let cosmos = target.contains("microsoft.documentdb");
        let kind = match action {
            "listkeys" if cosmos => CredentialOperation::CosmosListKeys,
            "readonlykeys" => CredentialOperation::CosmosReadonlyKeys,
            "listconnectionstrings" => CredentialOperation::CosmosConnectionStrings,
            "regeneratekey" => CredentialOperation::CosmosRegenerateKey,
            _ => CredentialOperation::OtherProvider,
        };
        let kind_path = target.rsplit_once('/').map_or("", |(path, _)| path);
        TenantOperation {
            time,
            digest: self.digest,
            place: Place::NOWHERE,
            tenant: None,
            subscription: Some(SubscriptionId::new("c0de")),
            account: cosmos.then(|| AccountId::new(target, Cloud::Public)),
            target: Text::from(target),
            operation: Text::from(format!("{kind_path}/{action}/action")),
            kind,
            outcome: Outcome::Succeeded,
            principal: PrincipalId::new(who.0),
            principal_name: Text::from(who.0),
            principal_type: who.1,
            app_id: Text::from("app"),
            // One id for everything, as some clients do.
            correlation_id: Text::from("00000000-0000-0000-0000-0000000000aa"),
            ip: None,
            address: AddressInfo {
                class: AddressClass::Residential,
                country: Country::parse("NL"),
                asn: Some(1136),
                organisation: Text::from("KPN"),
                city: None,
                azure_region: None,
                listed_ever: false,
            },
        }
    }

    fn cosmos(
        &mut self,
        who: (&str, PrincipalType),
        time: Timestamp,
        account: i64,
        action: &str,
    ) -> TenantOperation {
        let target = format!("microsoft.documentdb/databaseaccounts/cosmos{account:05}");
        self.operation(who, time, &target, action)
    }

    /// Feeds operations with a lateness of 15 minutes and closes everything at the end.
    fn feed(&mut self, operations: Vec<TenantOperation>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut newest = Timestamp::MIN;
        for operation in operations {
            newest = newest.max(operation.time);
            let watermark = newest.plus_ms(-15 * MINUTE_MS);
            self.model.observe(operation, watermark);
            findings.extend(self.model.advance(watermark, &self.profile).findings);
        }
        findings.extend(self.model.advance(newest.plus_ms(MINUTE_MS), &self.profile).findings);
        findings
    }

    fn triples(
        &mut self,
        who: (&str, PrincipalType),
        time: Timestamp,
        accounts: std::ops::Range<i64>,
    ) -> Vec<Finding> {
        let mut operations = Vec::new();
        for (i, account) in accounts.enumerate() {
            for action in TRIPLE {
                let time = time.plus_ms(2000 * i as i64);
                operations.push(self.cosmos(who, time, account, action));
            }
        }
        self.feed(operations)
    }

    /// `listKeys` on each account, evenly.
    fn sweep(
        &mut self,
        who: (&str, PrincipalType),
        time: Timestamp,
        accounts: std::ops::Range<i64>,
        gap_seconds: i64,
    ) -> Vec<Finding> {
        let operations = accounts
            .enumerate()
            .map(|(i, account)| {
                let time = time.plus_ms(gap_seconds * 1000 * i as i64);
                self.cosmos(who, time, account, "listkeys")
            })
            .collect();
        self.feed(operations)
    }

    /// Terraform over accounts 0–9 daily, a person on one account every other day.
    fn settle(&mut self, days: i64) {
        for day in DAY..DAY + days {
            let mut findings = self.triples(("terraform", WORKLOAD), at(day, 3, 0), 0..10);
            if day % 2 == 0 {
                findings.extend(self.sweep(("admin", USER), at(day, 10, 0), 1..2, 1));
            }
            assert_eq!(loud(&findings), [0.0; 0], "day {day}: {findings:#?}");
        }
    }
}

fn rate(finding: &Finding) -> f64 {
    finding.test.p * finding.test.per_day
}
fn loud(findings: &[Finding]) -> Vec<f64> {
    findings.iter().map(rate).filter(|r| *r <= MEDIUM).collect()
}
fn strongest(findings: &[Finding]) -> f64 {
    findings.iter().map(rate).fold(f64::INFINITY, f64::min)
}

fn microburst(tenant: &mut Tenant, who: (&str, PrincipalType), day: i64) -> Vec<TenantOperation> {
    let web = |name: &str| format!("microsoft.web/sites/{name}");
    let steps = [
        (0, web("app01"), "publishxml"),
        (13, "microsoft.containerregistry/registries/acr01".to_owned(), "listcredentials"),
        (26, "microsoft.storage/storageaccounts/st01".to_owned(), "listkeys"),
        (39, "microsoft.documentdb/databaseaccounts/cosmos00101".to_owned(), "listkeys"),
        (112, "microsoft.documentdb/databaseaccounts/cosmos00102".to_owned(), "listkeys"),
        (65, "microsoft.documentdb/databaseaccounts/cosmos00103".to_owned(), "listkeys"),
        (78, web("fn01"), "host"),
        (91, "microsoft.cognitiveservices/accounts/ai01".to_owned(), "listkeys"),
    ];
    steps
        .into_iter()
        .map(|(second, target, action)| tenant.operation(who, at(day, 2, second), &target, action))
        .collect()
}

/// A model with every field in use, and its last directory.
pub(crate) fn lived_in() -> (TenantModel, PrincipalDirectory) {
    let mut tenant = Tenant::new();
    tenant.settle(9);
    let directories = tenant.model.advance(at(DAY + 9, 3, 0), &tenant.profile).directories;
    let late = tenant.cosmos(("late", USER), at(DAY + 9, 1, 0), 7, "listkeys");
    tenant.model.observe(late, at(DAY + 9, 3, 0));
    for operation in microburst(&mut tenant, ("dev1", USER), DAY + 10) {
        tenant.model.observe(operation, at(DAY + 9, 4, 0));
    }
    (tenant.model, directories.last().map(|d| (**d).clone()).unwrap_or_default())
}

#[test]
fn a_credential_dump_over_providers_alerts_at_first_sight() {
    let mut tenant = Tenant::new();
    let operations = microburst(&mut tenant, ("dev1", USER), DAY);
    let findings = tenant.feed(operations);
    let strongest_rate = strongest(&findings);
    assert!(strongest_rate <= MEDIUM, "{strongest_rate} {findings:#?}");
    let last = findings.last().expect("a finding");
    assert_eq!(last.kind, AlertKind::MaliciousScript);
    assert_eq!(last.accounts.len(), 3);
    assert_eq!(last.account.name(), "cosmos00101");
    let Evidence::Sweep(sweep) = &last.evidence else { panic!("not a sweep") };
    assert_eq!((sweep.accounts, sweep.providers.len()), (3, 4));
    assert!(last.end.since(last.start) <= 2 * MINUTE_MS && last.decided >= last.end);
}

#[test]
fn the_same_dump_by_a_known_person_in_a_mature_tenant_is_high() {
    let mut tenant = Tenant::new();
    tenant.settle(40);
    let operations = microburst(&mut tenant, ("admin", USER), DAY + 40);
    assert!(strongest(&tenant.feed(operations)) <= HIGH);
}

#[test]
fn a_terraform_refresh_is_silent_at_first_sight_and_after() {
    let mut tenant = Tenant::new();
    for day in 0..10 {
        let findings = tenant.triples(("terraform", WORKLOAD), at(DAY + day, 3, 0), 0..3);
        assert_eq!(loud(&findings), [0.0; 0], "{findings:#?}");
    }
}

#[test]
fn a_large_refresh_over_several_providers_is_silent_when_the_logs_begin() {
    let mut tenant = Tenant::new();
    let who = ("terraform", WORKLOAD);
    for day in 0..8 {
        let mut operations = Vec::new();
        for (second, provider) in ["storage", "servicebus", "web", "eventhub"].iter().enumerate() {
            let target = format!("microsoft.{provider}/things/one");
            let time = at(DAY + day, 3, second as i64);
            operations.push(tenant.operation(who, time, &target, "listkeys"));
        }
        for account in 0..60 {
            for action in TRIPLE {
                operations.push(tenant.cosmos(who, at(DAY + day, 3, 4 + account), account, action));
            }
        }
        let findings = tenant.feed(operations);
        // A young tenant's estate automation: its second and third run are no longer arrivals.
        assert_eq!(loud(&findings), [0.0; 0], "day {day}: {findings:#?}");
    }
}

#[test]
fn a_dump_by_a_workload_alerts_once_the_tenant_is_known_a_little() {
    let mut tenant = Tenant::new();
    tenant.settle(14);
    let operations = microburst(&mut tenant, ("stolen", WORKLOAD), DAY + 14);
    let rate = strongest(&tenant.feed(operations));
    assert!(rate <= MEDIUM, "{rate}");
}

#[test]
fn a_refresh_over_several_providers_is_silent_at_first_sight() {
    let mut tenant = Tenant::new();
    let who = ("terraform", WORKLOAD);
    let mut operations = Vec::new();
    let storage = "microsoft.storage/storageaccounts/st01";
    operations.push(tenant.operation(who, at(DAY, 3, 0), storage, "listkeys"));
    let bus = "microsoft.servicebus/namespaces/sb01";
    operations.push(tenant.operation(who, at(DAY, 3, 1), bus, "listkeys"));
    for account in 0..3 {
        for action in TRIPLE {
            operations.push(tenant.cosmos(who, at(DAY, 3, account), account, action));
        }
    }
    assert_eq!(loud(&tenant.feed(operations)), [0.0; 0]);
}

#[test]
fn a_large_estate_is_silent_after_three_runs() {
    for step in [1, 7] {
        let mut tenant = Tenant::new();
        tenant.settle(40);
        for run in 0..12 {
            let day = DAY + 40 + run * step;
            let findings = tenant.triples(("estate", WORKLOAD), at(day, 4, 0), 0..200);
            if run == 0 {
                assert!(!loud(&findings).is_empty());
            }
            if run >= 3 {
                assert_eq!(loud(&findings), [0.0; 0], "run {run} every {step} days: {findings:#?}");
            }
        }
    }
}

#[test]
fn sweeps_of_graded_strength_in_a_settled_tenant() {
    let tries = [
        (("new-user", USER), 0..3, 15, true),
        (("new-user", USER), 0..6, 300, true),
        (("new-app", WORKLOAD), 0..8, 10, true),
        (("new-app", WORKLOAD), 0..20, 2, true),
        (("admin", USER), 0..5, 10, true),
        (("terraform", WORKLOAD), 10..20, 2, true),
        (("terraform", WORKLOAD), 0..10, 2, false),
        (("admin", USER), 1..2, 2, false),
        (("new-user", USER), 0..1, 2, false),
    ];
    for (who, accounts, gap, alerts) in tries {
        let mut tenant = Tenant::new();
        tenant.settle(45);
        let findings = tenant.sweep(who, at(DAY + 45, 14, 0), accounts.clone(), gap);
        let rate = strongest(&findings);
        assert_eq!(rate <= MEDIUM, alerts, "{who:?} {accounts:?} {rate}");
    }
}

#[test]
fn listing_one_account_a_day_is_found_by_the_long_windows() {
    let mut tenant = Tenant::new();
    tenant.settle(60);
    let mut first = None;
    for day in 0..30 {
        tenant.triples(("terraform", WORKLOAD), at(DAY + 60 + day, 3, 0), 0..10);
        let findings =
            tenant.sweep(("slow", USER), at(DAY + 60 + day, 11, 77), 100 + day..101 + day, 1);
        for finding in findings.iter().filter(|f| rate(f) <= MEDIUM) {
            assert!(finding.end.since(finding.start) <= 26 * HOUR_MS);
            first.get_or_insert(day);
        }
    }
    assert!(first.is_some_and(|day| day <= 14), "{first:?}");
}

#[test]
fn a_person_in_the_portal_on_a_few_accounts_is_silent() {
    let mut tenant = Tenant::new();
    let mut all = Vec::new();
    for day in 0..30 {
        // Two or three of five accounts, minutes apart, as someone clicks.
        for click in 0..2 + day % 2 {
            let time = at(DAY + day, 9 + click * 2, 37 * day);
            all.extend(tenant.sweep(
                ("ops", USER),
                time,
                (day + click) % 5..(day + click) % 5 + 1,
                1,
            ));
        }
    }
    assert_eq!(loud(&all), [0.0; 0], "{all:#?}");
}

#[test]
fn chains_without_a_cosmos_account_never_alert() {
    let mut tenant = Tenant::new();
    let operations: Vec<TenantOperation> = microburst(&mut tenant, ("dev1", USER), DAY)
        .into_iter()
        .filter(|o| o.account.is_none())
        .collect();
    assert!(tenant.feed(operations).is_empty());
}

#[test]
fn started_and_refused_operations_hand_out_nothing() {
    let mut tenant = Tenant::new();
    let mut operations = microburst(&mut tenant, ("dev1", USER), DAY);
    for (number, operation) in operations.iter_mut().enumerate() {
        operation.outcome = if number % 2 == 0 { Outcome::Started } else { Outcome::Failed };
    }
    assert!(tenant.feed(operations).is_empty());
}

#[test]
fn open_minutes_are_judged_on_a_copy() {
    let mut tenant = Tenant::new();
    for operation in microburst(&mut tenant, ("dev1", USER), DAY) {
        tenant.model.observe(operation, Timestamp::MIN);
    }
    let before = tenant.model.clone();
    let early = tenant.model.judge_open(&tenant.profile);
    assert!(strongest(&early) <= MEDIUM);
    assert_eq!(tenant.model, before);
    let definitive = tenant.model.advance(at(DAY, 3, 0), &tenant.profile).findings;
    assert_eq!(early, definitive);
}

#[test]
fn late_records_are_judged_and_marked() {
    let mut tenant = Tenant::new();
    let watermark = at(DAY, 12, 0);
    tenant.model.advance(watermark, &tenant.profile);
    for operation in microburst(&mut tenant, ("dev1", USER), DAY) {
        tenant.model.observe(operation, watermark);
    }
    let findings = tenant.model.advance(watermark, &tenant.profile).findings;
    assert!(strongest(&findings) <= MEDIUM && findings.iter().all(|f| f.late));
}

#[test]
fn the_directory_tells_habits_at_midnight() {
    let mut tenant = Tenant::new();
    tenant.settle(5);
    let advance = tenant.model.advance(at(DAY + 5, 0, 1), &tenant.profile);
    let directory = advance.directories.last().expect("a midnight passed");
    assert_eq!(directory.day, DAY + 5);
    let terraform = directory.get(&PrincipalId::new("terraform")).expect("known");
    assert_eq!((terraform.accounts, terraform.runs, terraform.subscriptions), (10, 5, 1));
    assert!(terraform.expansions == 0.0 && terraform.days > 4.8);
}

#[test]
fn a_flood_of_principals_and_accounts_stays_bounded() {
    let mut tenant = Tenant::new();
    tenant.settle(3);
    for number in 0..100_000_i64 {
        let name = format!("p{number}");
        let time = at(DAY + 4, 0, 0).plus_ms(number * 50);
        let operation = tenant.cosmos((&name, USER), time, number % 50, "listkeys");
        tenant.model.observe(operation, time.plus_ms(-MINUTE_MS));
    }
    tenant.model.advance(at(DAY + 4, 12, 0), &tenant.profile);
    assert!(tenant.model.principals().len() <= super::model::PRINCIPALS_MAX);
    assert!(tenant.model.principals().keys().any(|(_, p)| p.as_str() == "terraform"));
    let findings = tenant.triples(("terraform", WORKLOAD), at(DAY + 5, 3, 0), 0..3000);
    assert!(!loud(&findings).is_empty());
    let terraform = tenant.model.principals().iter().find(|((_, p), _)| p.as_str() == "terraform");
    let habit = terraform.map(|(_, h)| h).expect("kept");
    assert_eq!(habit.accounts.len(), super::habit::ACCOUNTS_MAX);
    let estimate = habit.count(|_| true) as f64;
    assert!((2500.0..3500.0).contains(&estimate), "{estimate}");
}

proptest::proptest! {
    #[test]
    fn no_moment_however_wild_panics_or_leaves_the_unit_interval(
        moments in proptest::collection::vec((proptest::num::i64::ANY, 0_i64..5), 1..12),
    ) {
        let mut tenant = Tenant::new();
        for (moment, account) in moments {
            let time = Timestamp(moment);
            let operation = tenant.cosmos(("wild", USER), time, account, "listkeys");
            tenant.model.observe(operation, time.plus_ms(-MINUTE_MS));
            let out = tenant.model.advance(time, &tenant.profile);
            for finding in out.findings {
                proptest::prop_assert!((0.0..=1.0).contains(&finding.test.p));
                proptest::prop_assert!(finding.start <= finding.end);
            }
        }
    }

    #[test]
    fn neither_order_inside_the_lateness_nor_batching_matters(
        picks in proptest::collection::vec((0_i64..4, 0_i64..12, 0_i64..800), 1..60),
        keys in proptest::collection::vec(0_u32..u32::MAX, 60),
        batch in 1_usize..9,
    ) {
        let mut tenant = Tenant::new();
        let names = [("a", USER), ("b", USER), ("c", WORKLOAD), ("d", WORKLOAD)];
        let operations: Vec<TenantOperation> = picks
            .iter()
            .map(|(who, account, second)| {
                tenant.cosmos(names[*who as usize], at(DAY, 23, 3000 + second), *account, "listkeys")
            })
            .collect();
        let mut shuffled: Vec<(u32, TenantOperation)> =
            keys.iter().copied().zip(operations.iter().cloned()).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let shuffled: Vec<TenantOperation> = shuffled.into_iter().map(|(_, o)| o).collect();
        let run = |operations: &[TenantOperation], batch: usize| {
            let profile = Profile::default();
            let mut model = TenantModel::default();
            let mut out = Advance::default();
            let mut newest = Timestamp::MIN;
            for chunk in operations.chunks(batch) {
                let mut watermark = Timestamp::MIN;
                for operation in chunk {
                    newest = newest.max(operation.time);
                    watermark = newest.plus_ms(-15 * MINUTE_MS);
                    model.observe(operation.clone(), watermark);
                }
                let more = model.advance(watermark, &profile);
                out.findings.extend(more.findings);
                out.directories.extend(more.directories);
            }
            let more = model.advance(at(DAY + 2, 0, 0), &profile);
            out.findings.extend(more.findings);
            out.directories.extend(more.directories);
            (out, model)
        };
        let straight = run(&operations, 1);
        proptest::prop_assert_eq!(&straight, &run(&operations, batch));
        proptest::prop_assert_eq!(&straight, &run(&shuffled, 1));
    }
}
