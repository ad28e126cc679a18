//! Accounts drawn from distributions of what accounts are like.
use crate::time::{DAY_MS, Timestamp};

use super::agent::{self, Agent};
use super::caller::{Caller, Credential, Op, Rhythm, Sizes, Step};
use super::draw::{Draw, Purpose};
use super::network;
use super::query::{Book, QueryLog};
use super::{Archetype, FleetOptions, Session};

/// A rest of an account's life that no caller explains: its level from day to day.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) archetype: Archetype,
    pub(crate) subscription: usize,
    pub(crate) resource_group: String,
    pub(crate) region: &'static str,
    pub(crate) country: &'static str,
    pub(crate) database: String,
    pub(crate) containers: Vec<String>,
    /// Query text is logged; obfuscated unless full-text query is on.
    pub(crate) query_log: Option<QueryLog>,
    /// Each query that returned takes further draws of its stream: seeds have always meant so.
    pub(crate) spends: bool,
    /// What is asked.
    pub(crate) book: Book,
    pub(crate) callers: Vec<Caller>,
    /// Bursts outside the callers' rhythms.
    pub(crate) sessions: Vec<Session>,
    /// Level of each day since the start (autoregressive, around 1).
    pub(crate) drift: Vec<f64>,
    /// σ of the hourly level.
    pub(crate) hour_noise: f64,
    /// Share of requests that are throttled, and that find nothing.
    pub(crate) throttled: f64,
    pub(crate) missing: f64,
    /// Spans without data-plane logs.
    pub(crate) gaps: Vec<(Timestamp, Timestamp)>,
}

/// Where customers sit: country, Azure regions there (first and second), hours ahead of UTC.
const HOMES: &[(&str, &str, &str, i32)] = &[
    ("NL", "West Europe", "North Europe", 1),
    ("DE", "West Europe", "North Europe", 1),
    ("US", "East US", "East US 2", -5),
    ("US", "Central US", "East US", -6),
    ("US", "West US 2", "Central US", -8),
    ("GB", "UK South", "North Europe", 0),
    ("FR", "France Central", "West Europe", 1),
    ("IN", "Central India", "South India", 5),
    ("JP", "Japan East", "Southeast Asia", 9),
    ("BR", "Brazil South", "East US", -3),
    ("IE", "North Europe", "West Europe", 0),
    ("PL", "West Europe", "North Europe", 1),
];

/// Where one customer sits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    pub(crate) country: &'static str,
    pub(crate) region: &'static str,
    pub(crate) second: &'static str,
    pub(crate) ahead: i32,
}

impl Home {
    pub(crate) fn draw(draw: &mut Draw) -> Home {
        let &(country, region, second, ahead) = draw.pick(HOMES);
        Home { country, region, second, ahead }
    }
}

const WORDS: &[&str] = &[
    "orders",
    "billing",
    "catalog",
    "profiles",
    "telemetry",
    "sessions",
    "inventory",
    "payments",
    "tickets",
    "loyalty",
    "shipping",
    "claims",
    "bookings",
    "devices",
    "pricing",
    "identity",
];
const CONTAINERS: &[&str] =
    &["items", "events", "customers", "audit", "carts", "readings", "documents", "leases"];

/// A working day seen from UTC: busy hours with a lunch dip, quiet nights.
pub(crate) fn office(ahead: i32, night: f64, weekend: f64, draw: &mut Draw) -> Rhythm {
    let shift = draw.between(-1.5, 1.5);
    let mut hours = [0.0; 24];
    for (utc, slot) in hours.iter_mut().enumerate() {
        let local = (utc as f64 + f64::from(ahead) - shift).rem_euclid(24.0);
        // A trapezoid: up from 6 to 10, down from 17 to 22.
        let up = ((local - 6.0) / 4.0).clamp(0.0, 1.0);
        let down = ((22.0 - local) / 5.0).clamp(0.0, 1.0);
        *slot = night + up.min(down) * draw.between(0.9, 1.1);
    }
    let sum: f64 = hours.iter().sum();
    hours.iter_mut().for_each(|h| *h /= sum);
    Rhythm { hours, weekdays: [1.0, 1.0, 1.0, 1.0, draw.between(0.8, 1.0), weekend, weekend] }
}

/// A job at one hour, every night or on one weekday.
fn job(hour: usize, weekday: Option<usize>, draw: &mut Draw) -> Rhythm {
    let mut hours = [0.0; 24];
    let spill = draw.between(0.05, 0.4);
    hours[hour % 24] = 1.0 - spill;
    hours[(hour + 1) % 24] = spill;
    let weekdays = match weekday {
        None => [1.0; 7],
        Some(day) => std::array::from_fn(|d| if d == day { 1.0 } else { 0.0 }),
    };
    Rhythm { hours, weekdays }
}

fn service_mix(draw: &mut Draw) -> Vec<(Op, f64)> {
    vec![
        (Op::Query, draw.log_normal(0.25, 0.6)),
        (Op::PointRead, draw.log_normal(0.4, 0.6)),
        (Op::Feed, draw.log_normal(0.05, 0.8)),
        (Op::Create, draw.log_normal(0.06, 0.7)),
        (Op::Upsert, draw.log_normal(0.1, 0.7)),
        (Op::Replace, draw.log_normal(0.04, 0.7)),
        (Op::Delete, draw.log_normal(0.01, 0.9)),
        (Op::Execute, draw.log_normal(0.002, 0.9)),
        (Op::ReadAccount, 0.004),
        (Op::ReadRanges, 0.012),
        (Op::ReadContainer, 0.008),
    ]
}

fn key(draw: &mut Draw) -> Credential {
    match draw.below(20) {
        0..=9 => Credential::Key("PrimaryMasterKey"),
        10..=12 => Credential::Key("SecondaryMasterKey"),
        13 => Credential::Key("PrimaryReadOnlyMasterKey"),
        _ => Credential::Entra(draw.uuid(), draw.uuid()),
    }
}

/// A workload in Azure (or in a private network).
pub(crate) fn service(
    region: &'static str,
    per_day: f64,
    rhythm: Rhythm,
    options: &FleetOptions,
    draw: &mut Draw,
) -> Caller {
    let private = draw.chance(0.35);
    let (subnet, block) = (draw.below(4000) as u16, network::in_region(region, draw));
    let addresses = (0..1 + draw.below(4))
        .map(|_| if private { network::private(subnet, draw) } else { block.address(draw) })
        .collect();
    Caller {
        addresses,
        agent: agent::service(draw),
        direct: draw.chance(0.5),
        credential: key(draw),
        per_day,
        mix: service_mix(draw),
        sizes: Sizes { median: draw.log_normal(1800.0, 1.0), sigma: draw.between(0.5, 1.1) },
        rhythm,
        steps: Vec::new(),
        from: options.start,
        until: options.end(),
        person: false,
        region,
    }
}

fn developer(home: Home, per_day: f64, options: &FleetOptions, draw: &mut Draw) -> Caller {
    let block = network::in_country(network::HOMES, home.country, draw);
    Caller {
        addresses: (0..1 + draw.below(2)).map(|_| block.address(draw)).collect(),
        agent: agent::desk(draw),
        direct: false,
        credential: key(draw),
        per_day,
        mix: vec![
            (Op::Query, 0.6),
            (Op::PointRead, 0.15),
            (Op::Feed, 0.05),
            (Op::Upsert, 0.12),
            (Op::Delete, 0.02),
            (Op::ReadContainer, 0.04),
            (Op::ListDatabases, 0.02),
        ],
        sizes: Sizes { median: draw.log_normal(3000.0, 0.9), sigma: draw.between(0.8, 1.4) },
        rhythm: office(home.ahead, 0.01, 0.08, draw),
        steps: Vec::new(),
        from: options.start,
        until: options.end(),
        person: true,
        region: home.region,
    }
}

fn internal(region: &'static str, options: &FleetOptions, draw: &mut Draw) -> Caller {
    Caller {
        addresses: vec![network::private(draw.below(255) as u16, draw)],
        agent: agent::internal(),
        direct: false,
        credential: Credential::System,
        per_day: draw.between(2.0, 12.0),
        mix: vec![(Op::ListDatabases, 1.0), (Op::ReadRanges, 1.0)],
        sizes: Sizes { median: 400.0, sigma: 0.2 },
        rhythm: Rhythm::flat(),
        steps: Vec::new(),
        from: options.start,
        until: options.end(),
        person: false,
        region,
    }
}

fn callers(
    archetype: Archetype,
    home: Home,
    options: &FleetOptions,
    draw: &mut Draw,
) -> Vec<Caller> {
    let scale = |median: f64, draw: &mut Draw| {
        (options.rate * draw.log_normal(median, 0.9)).clamp(12.0, 60_000.0)
    };
    let mut list = match archetype {
        Archetype::Web => {
            let total = scale(1.0, draw);
            let night = draw.between(0.02, 0.25);
            let weekend = draw.between(0.3, 1.1);
            let main = office(home.ahead, night, weekend, draw);
            let mut list = vec![service(home.region, total * 0.8, main.clone(), options, draw)];
            list.push(service(home.region, total * 0.2, main, options, draw));
            if draw.chance(0.5) {
                list.push(developer(home, (total * 0.01).clamp(3.0, 60.0), options, draw));
            }
            list
        }
        Archetype::Batch => {
            let hour = draw.below(24);
            let weekly = draw.chance(0.3).then(|| draw.below(7));
            let nightly = job(hour, None, draw);
            let mut list = vec![service(home.region, scale(0.5, draw), nightly, options, draw)];
            if let Some(day) = weekly {
                let rhythm = job(draw.below(24), Some(day), draw);
                list.push(service(home.region, scale(0.7, draw), rhythm, options, draw));
            }
            list.push(service(home.region, scale(0.1, draw), Rhythm::flat(), options, draw));
            for caller in &mut list {
                caller.sizes.median *= 3.0;
            }
            list
        }
        Archetype::MultiRegion => {
            let total = scale(1.0, draw);
            let rhythm = office(home.ahead, draw.between(0.1, 0.4), 0.9, draw);
            let mut first = service(home.region, total * 0.6, rhythm.clone(), options, draw);
            let mut second = service(home.second, total * 0.4, rhythm, options, draw);
            first.agent = second.agent.clone();
            first.credential = second.credential.clone();
            first.mix = second.mix.clone();
            second.sizes = first.sizes;
            fail_over(&mut first, &mut second, options, draw);
            vec![first, second]
        }
        Archetype::Developer => {
            let n = 1 + draw.below(3);
            (0..n).map(|_| developer(home, scale(0.05, draw), options, draw)).collect()
        }
        Archetype::Idle => {
            let mut caller = service(home.region, 12.0, Rhythm::flat(), options, draw);
            caller.per_day = draw.log_normal(20.0, 0.7).clamp(6.0, 120.0);
            vec![caller]
        }
    };
    list.push(internal(home.region, options, draw));
    list
}

/// The first region's share moves to the second for a few hours, once in about two weeks.
fn fail_over(first: &mut Caller, second: &mut Caller, options: &FleetOptions, draw: &mut Draw) {
    let mut day = draw.between(1.0, 14.0);
    while day < f64::from(options.days) {
        let from = options.start.plus_ms((day * DAY_MS as f64) as i64);
        let until = from.plus_ms((draw.between(1.0, 10.0) * 3.6e6) as i64);
        first.steps.push(Step { from, until, factor: 0.02 });
        second.steps.push(Step { from, until, factor: 1.0 + 0.98 * 0.6 / 0.4 });
        day += draw.between(7.0, 21.0);
    }
}

/// Level from day to day: a slow autoregression around 1.
fn drift(days: u32, draw: &mut Draw) -> Vec<f64> {
    let sigma = draw.between(0.03, 0.12);
    let mut x = 0.0;
    (0..=days)
        .map(|_| {
            x = 0.8 * x + sigma * draw.normal();
            super::draw::exp(x)
        })
        .collect()
}

/// Draws account `index`.
pub(crate) fn draw_account(
    index: usize,
    subscription: usize,
    home: Home,
    archetype: Archetype,
    options: &FleetOptions,
) -> Account {
    let draw = &mut Draw::new(options.seed, Purpose::Account, index as u64, 0);
    let word = draw.pick(WORDS);
    let stage = *draw.pick(&["prod", "prd", "live", "stg"]);
    let name = format!("cosmos-{word}-{stage}-{index:03}");
    let containers = (0..1 + draw.below(3)).map(|i| {
        let at = (draw.below(4) + 3 * i) % CONTAINERS.len();
        CONTAINERS[at].to_owned()
    });
    let mut containers: Vec<String> = containers.collect();
    containers.dedup();
    let kind = draw.below(10);
    let query_log = match kind {
        _ if !options.query_text => None,
        0..=5 => Some(QueryLog::Full),
        6 | 7 => Some(QueryLog::Obfuscated),
        _ => None,
    };
    let queries = &mut Draw::new(options.seed, Purpose::Queries, index as u64, 0);
    Account {
        name,
        archetype,
        subscription,
        resource_group: format!("rg-{word}-{stage}"),
        region: home.region,
        country: home.country,
        database: format!("{word}db"),
        containers,
        query_log,
        spends: kind < 4,
        book: Book::draw(options.start, options.end(), queries),
        callers: callers(archetype, home, options, draw),
        sessions: Vec::new(),
        drift: drift(options.days, draw),
        hour_noise: draw.between(0.05, 0.3),
        throttled: if draw.chance(0.3) { draw.between(0.0005, 0.02) } else { 0.0 },
        missing: draw.between(0.0, 0.05),
        gaps: Vec::new(),
    }
}

impl Account {
    /// Expected bytes of documents returned on the UTC day that begins at `day`.
    pub(crate) fn day_bytes(&self, day: Timestamp) -> f64 {
        let found = 1.0 - self.throttled - self.missing;
        (0..24)
            .map(|h| day.plus_ms(h * crate::time::HOUR_MS))
            .map(|hour| self.callers.iter().map(|c| c.expected_bytes(hour)).sum::<f64>())
            .sum::<f64>()
            * found
    }
    /// Mean bytes a day over the two weeks before `at`: rhythms and routine sessions, without
    /// exports and attacks.
    pub(crate) fn mean_day_bytes(&self, at: Timestamp) -> f64 {
        let first = Timestamp::of_day(at.day() - 14);
        let rhythms: f64 = (0..14).map(|d| self.day_bytes(first.plus_ms(d * DAY_MS))).sum();
        let routine = |s: &&Session| s.routine && s.start >= first && s.start < at;
        let visits: f64 = self.sessions.iter().filter(routine).map(Session::bytes).sum();
        (rhythms + visits) / 14.0
    }
    /// The workload that returns most documents around `at`.
    pub(crate) fn main_caller(&self, at: Timestamp) -> Option<&Caller> {
        self.callers
            .iter()
            .filter(|c| c.credential != Credential::System && at >= c.from && at < c.until)
            .max_by(|a, b| {
                let bytes = |c: &Caller| c.per_day * c.egress_share() * c.sizes.mean();
                bytes(a).total_cmp(&bytes(b))
            })
    }
    /// Nothing of the data plane is logged at `at`.
    pub(crate) fn silent(&self, at: Timestamp) -> bool {
        self.gaps.iter().any(|g| at >= g.0 && at < g.1)
    }
}

/// A new release of a workload: a new set of addresses in the same region, a newer client.
pub(crate) fn redeploy(old: &Caller, draw: &mut Draw) -> (Vec<std::net::Ipv4Addr>, Agent) {
    let block = network::in_region(old.region, draw);
    let private = old.addresses.first().is_some_and(std::net::Ipv4Addr::is_private);
    let subnet =
        old.addresses.first().map_or(0, |a| u16::from_be_bytes([a.octets()[1], a.octets()[2]]));
    let addresses = old
        .addresses
        .iter()
        .map(|_| if private { network::private(subnet, draw) } else { block.address(draw) })
        .collect();
    let agent = if draw.chance(0.5) { agent::service(draw) } else { old.agent.clone() };
    (addresses, agent)
}
