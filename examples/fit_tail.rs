//! Fits the shipped tail of the volume tests, and measures it on fleets that were drawn
//! differently.
//!
//! ```text
//! cargo run --release --example fit_tail -- fit [ACCOUNTS] [DAYS]    > models/tail/default.csv
//! cargo run --release --example fit_tail -- check [ACCOUNTS] [DAYS]
//! cargo run --release --example fit_tail -- attacks [ACCOUNTS]
//! ```
//!
//! `fit` simulates benign accounts of varied habit at ten-minute resolution, runs the real
//! baseline over them in three rounds (population medians, then curves, then curves with alerts
//! raised as in service) and prints the table. `check` draws its fleet from other ranges and
//! another seed and counts false alerts per account-month at the shipped budget. `attacks` puts
//! bursts and drips on such accounts and counts what is found.
// Tests and classes are numbered in several tables at once, hence the ranges.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::needless_range_loop
)]

use cosmoguard::baseline::cell::Cell;
use cosmoguard::baseline::egress::prior::{SCALED, TEST_NAMES, TESTS};
use cosmoguard::baseline::egress::{EgressBaseline, EgressContribution, EgressPrior};
use cosmoguard::baseline::prior::Priors;
use cosmoguard::baseline::tempo::HourStatus;
use cosmoguard::detect::Severity;
use cosmoguard::detect::egress::{Subject, judge};
use cosmoguard::event::{
    Access, Category, ConnectionMode, Credential, KeyKind, Operation, QueryText, Request, Resource,
};
use cosmoguard::ids::{AccountId, Cloud, Text};
use cosmoguard::intel::view::{AddressClass, AddressInfo, Country};
use cosmoguard::profile::Profile;
use cosmoguard::stats::tail::{DECADES, KNOTS, TailCurve};
use cosmoguard::time::Timestamp;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, Exp, Gamma, Poisson, StandardNormal, StandardUniform, StudentT};

/// Ten-minute cells a day.
const SLOTS: i64 = 144;
/// Days before anything is counted.
const WARM_UP_DAYS: i64 = 14;
/// Standardised maximum of a day without a material excess: below every other.
const IMMATERIAL: f64 = -20.0;
/// The first simulated day (a Thursday in 2025): weekday phases are real.
const FIRST_DAY: i64 = 20_089;

/// Ranges that accounts are drawn from.
struct Family {
    seed: u64,
    /// Weights of the habits: diurnal, batch, multi-region, bursty, developer, growing, drifting.
    habits: [f64; 7],
    /// Standard deviation of the slot noise, of the daily noise (logs).
    slot_noise: (f64, f64),
    day_noise: (f64, f64),
    /// Log-bytes a day.
    volume: (f64, f64),
    /// Log response size.
    size: (f64, f64),
    /// Deployments a day, their step in logs, drift of the operation mix in logs.
    deployments: (f64, f64),
    step: f64,
    mix_drift: f64,
    /// Own exports a day, median size in days.
    exports: f64,
    export_median: f64,
    /// Share of accounts with a month-end job of a day's volume.
    month_end: f64,
    /// New networks a day: redeployments, people.
    moves: f64,
    visitors: f64,
}

const FIT: Family = Family {
    seed: 11,
    habits: [3.0, 2.0, 1.5, 1.5, 1.5, 1.0, 2.0],
    slot_noise: (0.05, 0.45),
    day_noise: (0.03, 0.25),
    volume: (11.5, 23.0),
    size: (5.5, 10.0),
    deployments: (1.0 / 180.0, 1.0 / 45.0),
    step: 0.25,
    mix_drift: 0.2,
    exports: 0.02 / 30.4,
    export_median: 0.5,
    month_end: 0.02,
    moves: 1.0 / 300.0,
    visitors: 1.0 / 25.0,
};

const CHECK: Family = Family {
    seed: 977,
    habits: [2.0, 3.0, 1.0, 1.0, 2.0, 1.5, 3.0],
    slot_noise: (0.1, 0.4),
    day_noise: (0.05, 0.2),
    volume: (12.0, 24.0),
    size: (6.0, 9.5),
    deployments: (1.0 / 150.0, 1.0 / 40.0),
    step: 0.3,
    mix_drift: 0.25,
    exports: 0.06 / 30.4,
    export_median: 0.4,
    month_end: 0.06,
    moves: 1.0 / 240.0,
    visitors: 1.0 / 35.0,
};

#[derive(Clone, Copy, PartialEq)]
enum Habit {
    Diurnal,
    Batch,
    MultiRegion,
    Bursty,
    Developer,
    Growing,
    Drifting,
}

const HABITS: [Habit; 7] = [
    Habit::Diurnal,
    Habit::Batch,
    Habit::MultiRegion,
    Habit::Bursty,
    Habit::Developer,
    Habit::Growing,
    Habit::Drifting,
];

/// Extra bytes over some slots.
#[derive(Clone)]
struct Extra {
    from: i64,
    slots: i64,
    bytes: f64,
    network: usize,
    operation: usize,
}

#[derive(Clone)]
struct Account {
    rng: ChaCha8Rng,
    habit: Habit,
    day_bytes: f64,
    size: f64,
    amplitude: f64,
    peak: f64,
    weekend: f64,
    slot_sd: f64,
    day_sd: f64,
    persistence: f64,
    growth: f64,
    deploy_rate: f64,
    step: f64,
    mix_drift: f64,
    export_rate: f64,
    export_median: f64,
    move_rate: f64,
    visitor_rate: f64,
    batch_slot: i64,
    batch_share: f64,
    batch_weekly: bool,
    month_end: bool,
    burst_on: bool,
    level: f64,
    noise: f64,
    day_level: f64,
    mix: [f64; 3],
    shares: Vec<f64>,
    networks: Vec<usize>,
    next_network: usize,
    extras: Vec<Extra>,
    session: (i64, i64),
}

impl Account {
    fn draw(family: &Family, index: u64) -> Account {
        let mut rng = ChaCha8Rng::seed_from_u64(family.seed.wrapping_mul(1_000_003) + index);
        let u = |rng: &mut ChaCha8Rng, (a, b): (f64, f64)| a + (b - a) * uniform(rng);
        let mut pick = uniform(&mut rng) * family.habits.iter().sum::<f64>();
        let mut habit = Habit::Diurnal;
        for (h, w) in HABITS.iter().zip(family.habits) {
            if pick < w {
                habit = *h;
                break;
            }
            pick -= w;
        }
        let regions = if habit == Habit::MultiRegion { 3 } else { 1 };
        let extra_networks = (uniform(&mut rng) * 2.0) as usize;
        let n = regions + extra_networks;
        let mut shares: Vec<f64> = (0..n).map(|_| 0.1 + uniform(&mut rng)).collect();
        let total: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|s| *s /= total);
        let mut mix = [0.1 + uniform(&mut rng), uniform(&mut rng), 0.3 * uniform(&mut rng)];
        if uniform(&mut rng) < 0.3 {
            mix[2] = 0.0;
        }
        let day_bytes = match habit {
            Habit::Developer => u(&mut rng, (9.5, 15.0)).exp(),
            _ => u(&mut rng, family.volume).exp(),
        };
        Account {
            habit,
            day_bytes,
            size: u(&mut rng, family.size).exp(),
            amplitude: u(&mut rng, (0.1, 0.95)),
            peak: uniform(&mut rng),
            weekend: u(&mut rng, (0.2, 1.1)),
            slot_sd: u(&mut rng, family.slot_noise),
            day_sd: u(&mut rng, family.day_noise),
            persistence: u(&mut rng, (0.5, 0.97)),
            growth: if habit == Habit::Growing { u(&mut rng, (-0.01, 0.02)) } else { 0.0 },
            deploy_rate: u(&mut rng, family.deployments),
            step: family.step,
            mix_drift: family.mix_drift,
            export_rate: family.exports,
            export_median: family.export_median,
            move_rate: family.moves,
            visitor_rate: family.visitors * 2.0 * uniform(&mut rng),
            batch_slot: (uniform(&mut rng) * 144.0) as i64,
            batch_share: u(&mut rng, (0.3, 0.9)),
            batch_weekly: uniform(&mut rng) < 0.3,
            month_end: uniform(&mut rng) < family.month_end,
            burst_on: false,
            level: 1.0,
            noise: 0.0,
            day_level: 1.0,
            mix,
            networks: (0..n).collect(),
            shares,
            next_network: n,
            extras: Vec::new(),
            session: (0, 0),
            rng,
        }
    }

    fn start_day(&mut self, day: i64) {
        let sd = self.day_sd;
        let shock = if self.habit == Habit::Drifting {
            StudentT::new(4.0).unwrap().sample(&mut self.rng) / 2.0f64.sqrt()
        } else {
            normal(&mut self.rng)
        };
        self.day_level = (0.5 * self.day_level.ln() + sd * 0.87 * shock).clamp(-1.5, 1.5).exp();
        self.level *= (self.growth).exp();
        if uniform(&mut self.rng) < self.deploy_rate {
            self.level *= (self.step * normal(&mut self.rng)).exp();
            for m in &mut self.mix {
                *m *= (self.mix_drift * normal(&mut self.rng)).exp();
            }
        }
        if uniform(&mut self.rng) < self.move_rate {
            let which = (uniform(&mut self.rng) * self.networks.len() as f64) as usize;
            self.networks[which] = self.next_network;
            self.next_network += 1;
        }
        let today = day * SLOTS;
        if uniform(&mut self.rng) < self.visitor_rate {
            let network = self.next_network;
            self.next_network += 1;
            let bytes = self.day_bytes * 1e-3 * (1.5 * normal(&mut self.rng)).exp();
            let from = today + (uniform(&mut self.rng) * 140.0) as i64;
            self.extras.push(Extra { from, slots: 4, bytes, network, operation: 0 });
        }
        if uniform(&mut self.rng) < self.export_rate {
            let bytes = self.day_bytes
                * self.level
                * self.export_median
                * (0.8 * normal(&mut self.rng)).exp();
            let slots = 2 + (uniform(&mut self.rng) * 8.0) as i64;
            let from = today + (uniform(&mut self.rng) * 130.0) as i64;
            let network = self.networks[0];
            self.extras.push(Extra { from, slots, bytes, network, operation: 0 });
        }
        if self.month_end && day % 30 == 17 {
            let bytes = self.day_bytes * self.level * 0.8 * (0.2 * normal(&mut self.rng)).exp();
            let network = self.networks[0];
            self.extras.push(Extra { from: today + 18, slots: 6, bytes, network, operation: 0 });
        }
        if self.habit == Habit::Developer {
            let weekday = Timestamp::of_day(day).weekday();
            let active = uniform(&mut self.rng) < if weekday < 5 { 0.7 } else { 0.1 };
            let from = today + 48 + (uniform(&mut self.rng) * 40.0) as i64;
            let slots = 3 + (uniform(&mut self.rng) * 30.0) as i64;
            self.session = if active { (from, from + slots) } else { (0, 0) };
        }
        self.extras.retain(|e| e.from + e.slots > today);
    }

    /// Mean bytes of a slot before Poisson noise, habits and level included.
    fn mean(&mut self, slot: i64) -> f64 {
        let of_day = slot.rem_euclid(SLOTS);
        let weekday = Timestamp::of_day(slot.div_euclid(SLOTS)).weekday();
        let phase = of_day as f64 / SLOTS as f64 - self.peak;
        let mut season = 1.0 + self.amplitude * (std::f64::consts::TAU * phase).cos();
        if weekday >= 5 {
            season *= self.weekend;
        }
        self.noise = self.persistence * self.noise
            + self.slot_sd * (1.0 - self.persistence.powi(2)).sqrt() * normal(&mut self.rng);
        let noise = (self.noise - 0.5 * self.slot_sd.powi(2)).exp();
        let flat = self.day_bytes / SLOTS as f64 * self.level * self.day_level * noise;
        match self.habit {
            Habit::Batch => {
                let due = !self.batch_weekly || weekday == 1;
                let jitter = (uniform(&mut self.rng) < 0.3) as i64;
                let inside = (0..4).contains(&(of_day - self.batch_slot - jitter));
                let batch = if due && inside { self.batch_share * 36.0 } else { 0.0 };
                flat * ((1.0 - self.batch_share) * season + batch)
            }
            Habit::Bursty => {
                let flip = if self.burst_on { 0.2 } else { 0.03 };
                if uniform(&mut self.rng) < flip {
                    self.burst_on = !self.burst_on;
                }
                let gamma = Gamma::new(1.5, 1.0 / 1.5).unwrap().sample(&mut self.rng);
                flat * season * if self.burst_on { 5.0 * gamma } else { 0.4 }
            }
            Habit::Developer => {
                let (from, to) = self.session;
                let gamma = Gamma::new(0.7, 1.0 / 0.7).unwrap().sample(&mut self.rng);
                if (from..to).contains(&slot) { flat * 8.0 * gamma } else { 0.0 }
            }
            _ => flat * season,
        }
    }

    /// One slot's traffic as a cell; `None` if nothing happened.
    fn cell(&mut self, slot: i64) -> Option<Cell> {
        let mean = self.mean(slot);
        let mut cell = Cell::default();
        let mix_total: f64 = self.mix.iter().sum();
        for i in 0..self.networks.len() {
            for o in 0..3 {
                let bytes = mean * self.shares[i] * self.mix[o] / mix_total;
                self.add(&mut cell, slot, self.networks[i], o, bytes, self.size);
            }
        }
        for e in self.extras.clone() {
            if (e.from..e.from + e.slots).contains(&slot) {
                let size = self.size * 3.0;
                self.add(&mut cell, slot, e.network, e.operation, e.bytes / e.slots as f64, size);
            }
        }
        (cell.requests > 0).then_some(cell)
    }

    fn add(&mut self, cell: &mut Cell, slot: i64, net: usize, op: usize, bytes: f64, size: f64) {
        if bytes <= 0.0 {
            return;
        }
        let n = Poisson::new(bytes / size).unwrap().sample(&mut self.rng);
        if n < 1.0 {
            return;
        }
        let spread = 1.0 + normal(&mut self.rng) * 0.8 / n.sqrt();
        let total = (n * size * spread.max(0.2)) as u64;
        let largest = ((total as f64 / n) * (1.0 + 0.8 * n.ln().sqrt())).min(total as f64) as u64;
        let request = Request {
            category: Category::DataPlaneRequests,
            count: n as u64,
            interval_ms: 0,
            activity_id: None,
            operation: [Operation::Query, Operation::Read, Operation::ReadFeed][op],
            operation_name: Text::from("Query"),
            resource: Resource::Document,
            access: Access::Success,
            status: 200,
            client_ip: Some(std::net::Ipv4Addr::from(0x0b00_0000 + net as u32).into()),
            user_agent: Text::from(""),
            client_family: Text::from("app"),
            credential: Credential::Key(KeyKind::PrimaryMaster),
            connection: ConnectionMode::Direct,
            request_bytes: 0,
            response_bytes: total,
            response_bytes_max: largest,
            charge_milli: 0,
            region: Text::from(""),
            database: Text::from(""),
            container: Text::from(""),
            change_feed: false,
            command: QueryText::Absent,
            internal: false,
        };
        let info = AddressInfo {
            class: AddressClass::Residential,
            country: Some(Country(*b"NL")),
            asn: Some(net as u32 + 1),
            organisation: Text::from(""),
            city: None,
            azure_region: None,
            listed_ever: false,
        };
        cell.add_request(
            (Timestamp::of_minute(slot * 10), cosmoguard::event::Place::NOWHERE),
            &request,
            &info,
        );
    }
}

fn uniform(rng: &mut ChaCha8Rng) -> f64 {
    StandardUniform.sample(rng)
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// A finding of a run.
struct Hit {
    at: Timestamp,
    severity: Severity,
    test: &'static str,
}

/// An account with its baseline and what is collected on the way.
#[derive(Clone)]
struct Run {
    account: Account,
    baseline: EgressBaseline,
    /// Daily maxima on the population's scale.
    maxima: [Vec<f64>; TESTS],
    contribution: Option<EgressContribution>,
}

impl Run {
    fn new(account: Account) -> Run {
        let maxima = std::array::from_fn(|_| Vec::new());
        Run { account, baseline: EgressBaseline::new(), maxima, contribution: None }
    }

    /// Runs days `from..to` (relative). `raise`: alerts are raised at the shipped limits.
    fn days(&mut self, from: i64, to: i64, priors: &Priors, p: &Profile, raise: bool) -> Vec<Hit> {
        let limits = limits(p);
        let id = AccountId::new("a", Cloud::Public);
        let mut hits = Vec::new();
        for day in FIRST_DAY + from..FIRST_DAY + to {
            self.account.start_day(day);
            let mut best = [f64::NEG_INFINITY; TESTS];
            for slot in day * SLOTS..(day + 1) * SLOTS {
                let cell = self.account.cell(slot);
                if let Some(cell) = &cell {
                    self.baseline.add_cell(slot * 10, cell, &p.egress);
                }
                if (slot + 1) % 6 == 0 {
                    let status = HourStatus::Logged;
                    self.baseline.close_hour(slot.div_euclid(6), status, priors, &p.egress);
                }
                if cell.is_none() {
                    continue;
                }
                let end = Timestamp::of_minute((slot + 1) * 10);
                let Some(o) = self.baseline.close_slot(end, priors, &p.egress) else { continue };
                for (k, t) in o.tests.iter().enumerate() {
                    // New-network windows may lift a story that explains them.
                    if t.material && (t.counted || k >= SCALED) {
                        best[k] = best[k].max(t.standardised);
                    }
                }
                if !raise {
                    continue;
                }
                let maturity = self.baseline.maturity(end, &p.egress);
                let subject = Subject { account: &id, resource_id: None, maturity };
                let found = judge(&o, &subject, &priors.egress, &p.egress, limits);
                if let Some(f) = found.first() {
                    let ceiling = f.test.ceiling.map_or(Severity::High, |c| c.0);
                    let graded =
                        if f.test.p <= limits[1] { Severity::Medium } else { Severity::Low };
                    hits.push(Hit {
                        at: end,
                        severity: ceiling.min(graded),
                        test: o.tests[o.deciding].name,
                    });
                    self.baseline.alerted(end, Some(&o), &p.egress);
                }
            }
            if day >= FIRST_DAY + WARM_UP_DAYS {
                for k in 0..TESTS {
                    let nothing = if k < SCALED { IMMATERIAL } else { 0.0 };
                    self.maxima[k].push(best[k].max(nothing));
                }
            }
            if let Some(c) = self.baseline.close_day(day, priors, &p.egress) {
                self.contribution = Some(c);
            }
        }
        hits
    }
}

/// This kind's share of the shipped budgets.
fn limits(p: &Profile) -> [f64; 3] {
    let own = &p.severity.kinds["CosmosDB_DataExfiltrationAnomaly"];
    let share = own.weight / p.severity.kinds.values().map(|k| k.weight).sum::<f64>();
    [p.severity.budget.low, p.severity.budget.medium, p.severity.budget.high].map(|b| b * share)
}

fn fleet(
    family: &Family,
    accounts: u64,
    days: i64,
    priors: &Priors,
    profile: &Profile,
    raise: bool,
) -> Vec<(Run, Vec<Hit>)> {
    let one = |i: u64| {
        let mut run = Run::new(Account::draw(family, i));
        let hits = run.days(0, days, priors, profile, raise);
        (run, hits)
    };
    // Two halves at once, joined in account order.
    std::thread::scope(|scope| {
        let second = scope.spawn(|| (accounts / 2..accounts).map(one).collect::<Vec<_>>());
        let mut all: Vec<_> = (0..accounts / 2).map(one).collect();
        all.extend(second.join().unwrap());
        all
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Class medians, over-dispersion and sizes as table lines.
fn population(runs: &[(Run, Vec<Hit>)]) -> String {
    let all: Vec<&EgressContribution> =
        runs.iter().filter_map(|(r, _)| r.contribution.as_ref()).collect();
    let mut table = String::new();
    for (kind, of) in [("centre", 0), ("spread", 1)] {
        for k in 0..SCALED {
            for class in 0..3 {
                let own: Vec<f64> = all
                    .iter()
                    .filter(|c| usize::from(c.class) == class)
                    .map(|c| f64::from([c.centre[k], c.spread[k]][of]))
                    .collect();
                let least = if of == 1 { 0.2 } else { 0.0 };
                let value = median(own).max(least);
                table += &format!("{kind},{},{class},{value:.4}\n", TEST_NAMES[k]);
            }
        }
    }
    for (i, name) in ["total", "operation"].iter().enumerate() {
        for w in 0..3 {
            let mut own: Vec<f64> = all.iter().map(|c| f64::from(c.dispersion[i][w])).collect();
            own.sort_by(f64::total_cmp);
            let cut = own.len() / 10;
            let kept = &own[cut..own.len() - cut];
            let mean = kept.iter().sum::<f64>() / kept.len() as f64;
            table += &format!("dispersion,{name},{w},{mean:.4}\n");
        }
    }
    let size = median(all.iter().map(|c| f64::from(c.size)).collect());
    table + &format!("size,all,0,{size:.0}\n")
}

/// Pooled curves as table lines.
fn curves(runs: &[(Run, Vec<Hit>)]) -> String {
    let mut table = String::new();
    for k in 0..TESTS {
        let pooled: Vec<f64> = runs.iter().flat_map(|(r, _)| r.maxima[k].clone()).collect();
        let curve = TailCurve::fit(&pooled).unwrap();
        for i in 0..KNOTS {
            let value = curve.value_at(10f64.powf(-DECADES * i as f64 / (KNOTS - 1) as f64));
            table += &format!("knot,{},{i},{value:.4}\n", TEST_NAMES[k]);
        }
        table += &format!("excess,{},0,{:.4}\n", TEST_NAMES[k], curve.mean_excess());
    }
    table
}

fn priors_of(table: &str) -> Priors {
    Priors { egress: EgressPrior::from_table(table), ..Priors::default() }
}

fn fit(accounts: u64, days: i64) {
    let profile = Profile::default();
    let (mut moments, mut shape) = (String::new(), String::new());
    let table = |shape: &str, moments: &str| format!("kind,name,index,value\n{shape}{moments}");
    // Population, then curves against it; then both again with alerts raised as in service, since
    // an alert restarts the cumulative sum.
    for (round, (learns_population, raise)) in
        [(true, false), (false, false), (true, true), (false, true), (false, true)]
            .into_iter()
            .enumerate()
    {
        let priors = priors_of(&table(&shape, &moments));
        let runs = fleet(&FIT, accounts, days, &priors, &profile, raise);
        let hits: usize = runs.iter().map(|r| r.1.len()).sum();
        eprintln!("round {round}: {hits} hits");
        if learns_population {
            moments = population(&runs);
        } else {
            shape = curves(&runs);
        }
    }
    let table = table(&shape, &moments);
    print!("{table}");
}

/// Stories: hits no more than 24 quiet hours apart, each with its first hit and whether it reached
/// Medium.
fn stories(hits: &[Hit]) -> Vec<(&Hit, bool)> {
    let mut last = Timestamp::MIN;
    let mut told: Vec<(&Hit, bool)> = Vec::new();
    for hit in hits {
        if hit.at.since(last) > 24 * 3_600_000 {
            told.push((hit, false));
        }
        if let Some((_, medium)) = told.last_mut() {
            *medium |= hit.severity >= Severity::Medium;
        }
        last = hit.at;
    }
    told
}

fn check(accounts: u64, days: i64) {
    let profile = Profile::default();
    for (name, family) in
        [("fit ranges, new seed", Family { seed: 4242, ..FIT }), ("other ranges", CHECK)]
    {
        let shipped = Priors::default();
        let mut priors = shipped.clone();
        for learnt in [false, true] {
            let runs = fleet(&family, accounts, days, &priors, &profile, true);
            let months = accounts as f64 * (days - WARM_UP_DAYS) as f64 / 30.4;
            let warm = Timestamp::of_day(FIRST_DAY + WARM_UP_DAYS);
            let mut count = 0;
            let mut medium = 0;
            let mut tests = std::collections::BTreeMap::new();
            let mut habits = [0usize; 7];
            for (run, hits) in &runs {
                let habit = HABITS.iter().position(|h| *h == run.account.habit).unwrap();
                for (hit, reached) in stories(hits).into_iter().filter(|(h, _)| h.at >= warm) {
                    count += 1;
                    habits[habit] += 1;
                    *tests.entry(hit.test).or_insert(0) += 1;
                    medium += usize::from(reached);
                }
            }
            println!(
                "{name}, fleet priors {learnt}: {:.3} stories and {:.3} Medium per account-month \
                 ({count} in {months:.0}); nominal {:.3}; by test {tests:?}; by habit {habits:?}",
                f64::from(count) / months,
                medium as f64 / months,
                limits(&profile)[0] * 30.4,
            );
            let contributions: Vec<EgressContribution> =
                runs.iter().filter_map(|(r, _)| r.contribution.clone()).collect();
            priors.egress = EgressPrior::from_contributions(&contributions);
        }
    }
}

fn attacks(accounts: u64) {
    let profile = Profile::default();
    let priors = Priors::default();
    let kinds: [(&str, f64, i64); 8] = [
        ("b20", 20.0, 4),
        ("b4", 4.0, 4),
        ("b2", 2.0, 4),
        ("b1", 1.0, 4),
        ("b0.5", 0.5, 4),
        ("d3d_2", 6.0, 3 * SLOTS),
        ("d3d_1", 3.0, 3 * SLOTS),
        ("d7d_0.6", 4.2, 7 * SLOTS),
    ];
    let mut found = vec![[[0usize; 3]; 2]; kinds.len()];
    let mut delays = vec![Vec::new(); kinds.len()];
    for i in 0..accounts {
        let mut run = Run::new(Account::draw(&CHECK, 10_000 + i));
        run.days(0, 40, &priors, &profile, true);
        for (k, (_, days, slots)) in kinds.iter().enumerate() {
            for new in 0..2 {
                let mut copy = run.clone();
                let mean = copy.account.day_bytes * copy.account.level;
                let wait: f64 = Exp::new(1.0 / 60.0).unwrap().sample(&mut copy.account.rng);
                let from = (FIRST_DAY + 40) * SLOTS + (wait as i64).min(130);
                let network = if new == 1 { 900 } else { copy.account.networks[0] };
                let bytes = mean * days;
                let extra = Extra { from, slots: *slots, bytes, network, operation: 0 };
                copy.account.extras.push(extra);
                let hits = copy.days(40, 41 + slots.div_euclid(SLOTS) + 1, &priors, &profile, true);
                let start = Timestamp::of_minute(from * 10);
                let end = Timestamp::of_minute((from + slots) * 10).plus_ms(6 * 3_600_000);
                let inside: Vec<&Hit> =
                    hits.iter().filter(|h| h.at > start && h.at <= end).collect();
                found[k][new][0] += 1;
                if let Some(first) = inside.first() {
                    found[k][new][1] += 1;
                    delays[k].push(first.at.since(start) as f64 / 60_000.0);
                }
                found[k][new][2] +=
                    usize::from(inside.iter().any(|h| h.severity >= Severity::Medium));
            }
        }
    }
    for (k, (name, ..)) in kinds.iter().enumerate() {
        let [own, new] = found[k];
        println!(
            "{name}: own network {}/{} (Medium {}), new network {}/{} (Medium {}), median delay {} min",
            own[1],
            own[0],
            own[2],
            new[1],
            new[0],
            new[2],
            median(delays[k].clone())
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number =
        |i: usize, default: u64| arguments.get(i).and_then(|a| a.parse().ok()).unwrap_or(default);
    match arguments.get(1).map(String::as_str) {
        Some("fit") => fit(number(2, 240), number(3, 90) as i64),
        Some("check") => check(number(2, 150), number(3, 90) as i64),
        Some("attacks") => attacks(number(2, 24)),
        _ => eprintln!("usage: fit_tail fit|check|attacks [ACCOUNTS] [DAYS]"),
    }
}
