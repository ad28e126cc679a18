//! Any moments, any order, and innocent lives against the budget.
use super::*;

proptest::proptest! {
    #[test]
    fn no_moment_however_wild_panics_or_leaves_the_unit_interval(
        moments in proptest::collection::vec((proptest::num::i64::ANY, 0_u8..3, 0_u8..4), 1..12),
    ) {
        let kinds = [LIST, READONLY, STRINGS, REGENERATE];
        let people = [terraform(), admin(), stranger()];
        let mut life = Life::new();
        for (moment, who, kind) in moments {
            let at = Timestamp(moment);
            let kind = kinds[usize::from(kind)];
            let mut cell = Cell::default();
            cell.add_key_operation(life.operation(&people[usize::from(who)], at, kind));
            let seen = life.baseline.assess(at.minute(), &cell, &life.directory, &life.profile);
            for observation in &seen {
                proptest::prop_assert!((0.0..=1.0).contains(&observation.p));
            }
            life.baseline.learn(at.minute(), &cell, &life.directory, &life.profile);
            life.baseline.close_day(at.day(), true, &life.profile);
        }
    }

    #[test]
    fn arrival_order_inside_the_minutes_does_not_matter(
        seed in proptest::collection::vec((0_u8..3, 0_i64..1200, 0_u8..4), 1..40),
        keys in proptest::collection::vec(0_u32..u32::MAX, 40),
    ) {
        let kinds = [LIST, READONLY, STRINGS, REGENERATE];
        let people = [terraform(), admin(), stranger()];
        let mut life = Life::new();
        let records: Vec<KeyOperation> = seed
            .iter()
            .map(|(who, second, kind)| {
                let at = Timestamp::of_day(20_000).plus_ms(second * 1000);
                life.operation(&people[usize::from(*who)], at, kinds[usize::from(*kind)])
            })
            .collect();
        let mut shuffled: Vec<(u32, KeyOperation)> =
            keys.iter().copied().zip(records.iter().cloned()).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let mut other = Life::new();
        let straight = life.feed(records);
        let mixed = other.feed(shuffled.into_iter().map(|(_, r)| r).collect());
        proptest::prop_assert_eq!(straight, mixed);
        proptest::prop_assert_eq!(life.baseline, other.baseline);
    }
}

/// xorshift64*: seeded, small, good enough to draw a benign life.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
    fn below(&mut self, n: i64) -> i64 {
        (self.unit() * n as f64) as i64
    }
}

const NAMES: [&str; 16] = [
    "w0", "w1", "w2", "w3", "w4", "w5", "w6", "w7", "u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7",
];

/// One innocent account: pipelines on a schedule that now and then move or are started by hand,
/// people who roam, and now and then somebody new. Returns per finding: day, p·r, ceiling.
fn innocent_life(dice: &mut Dice, days: i64) -> Vec<(i64, f64, &'static str, bool)> {
    let mut life = Life::new();
    let mut alerts = Vec::new();
    let (mut workloads, mut people) = (1 + dice.below(3), 1 + dice.below(3));
    let periods: Vec<i64> = (0..8).map(|_| [1, 1, 2, 7][dice.below(4) as usize]).collect();
    let hours: Vec<i64> = (0..8).map(|_| dice.below(24)).collect();
    let manual: Vec<bool> = (0..8).map(|_| dice.unit() < 0.4).collect();
    let mut nets = [8075_u32; 8];
    for day in 0..days {
        if dice.unit() < 0.0015 {
            workloads = (workloads + 1).min(8);
        }
        if dice.unit() < 0.0025 {
            people = (people + 1).min(8);
        }
        let mut findings = Vec::new();
        for w in 0..workloads as usize {
            if day % periods[w] != 0 {
                continue;
            }
            if dice.unit() < 0.001 {
                nets[w] += 1;
            }
            let class = if nets[w] == 8075 { AddressClass::Azure } else { AddressClass::Hosting };
            let who = Who {
                id: NAMES[w],
                app: NAMES[w],
                address: address(class, "NL", nets[w]),
                ..terraform()
            };
            let hour = if manual[w] {
                8 + dice.below(10)
            } else if dice.unit() < 0.02 {
                dice.below(24)
            } else {
                hours[w]
            };
            let kinds: &[CredentialOperation] = if w % 2 == 0 { &TRIPLE } else { &[LIST] };
            findings.extend(life.run(&who, hour, kinds));
        }
        for u in 0..people as usize {
            if dice.unit() > 0.25 {
                continue;
            }
            let asn = if dice.unit() < 0.05 { 100 + dice.below(50) as u32 } else { u as u32 % 3 };
            let country = if dice.unit() < 0.01 { "FR" } else { "NL" };
            let app = if dice.unit() < 0.9 { judge::PORTAL_APP_ID } else { "cli" };
            let who = Who {
                id: NAMES[8 + u],
                app,
                address: address(AddressClass::Residential, country, asn),
                ..admin()
            };
            findings.extend(life.run(&who, 8 + dice.below(11), &[LIST]));
        }
        for f in findings {
            let low = f.test.ceiling.is_some();
            let id = NAMES.iter().find(|n| **n == f.dedup).copied().unwrap_or("?");
            alerts.push((day, rate(&f), id, low));
        }
        life.night();
    }
    alerts
}

#[test]
fn innocent_lives_stay_inside_the_budget() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let (accounts, days) = (300, 120);
    let (mut low, mut medium, mut high) = (0, 0, 0);
    for _ in 0..accounts {
        let mut last: std::collections::BTreeMap<&str, (i64, u8)> = Default::default();
        for (day, r, id, ceiling) in innocent_life(&mut dice, days) {
            if r > LOW {
                continue;
            }
            let grade = if ceiling || r > MEDIUM {
                1
            } else if r > MEDIUM / 10.0 {
                2
            } else {
                3
            };
            let again = last.get(id).is_some_and(|(at, g)| day - at < 7 && *g >= grade);
            if again {
                continue;
            }
            last.insert(id, (day, grade));
            match grade {
                1 => low += 1,
                2 => medium += 1,
                _ => high += 1,
            }
        }
    }
    let per_day = |count: i32| f64::from(count) / (f64::from(accounts) * days as f64);
    // Newcomers and moved pipelines are told on purpose: together they use up Low's share.
    assert!(per_day(low) <= 1.2 * LOW, "low {low}: {}", per_day(low));
    assert!(per_day(medium) <= MEDIUM, "medium {medium}: {}", per_day(medium));
    assert!(per_day(high) <= MEDIUM / 10.0, "high {high}: {}", per_day(high));
}
