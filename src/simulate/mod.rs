//! Labelled fleets from a seed: for evaluation, the demo, sample alerts, tests and benches.
//!
//! [`plan`] draws a fleet (accounts, their callers, a benign life full of look-alikes, attacks
//! with labels) and touches nothing; [`records`] turns it into native Azure records in order of
//! arrival; [`write_azure`] lays them out as Azure's diagnostic settings do. The same options
//! give the same bytes on every platform.
mod account;
mod agent;
mod attack;
mod azure;
mod caller;
mod draw;
mod labels;
mod life;
mod network;
mod query;
mod query_attack;
mod query_life;
mod record;
pub mod scenario;
mod stream;
mod sweep;

use std::net::Ipv4Addr;

use crate::time::{DAY_MS, Timestamp};

pub use azure::{Summary, write_azure, write_jsonl};
pub use labels::{Attack, Exception, labels_json};
pub use stream::{Records, records, records_since};

use account::Account;
use caller::Caller;
use draw::{Draw, Purpose};
use query::Asks;
use record::Principal;

/// What to draw.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetOptions {
    /// Everything follows from it.
    pub seed: u64,
    /// Cosmos DB accounts.
    pub accounts: usize,
    /// Days of logs.
    pub days: u32,
    /// First day, midnight UTC.
    pub start: Timestamp,
    /// Plan no attacks.
    pub benign_only: bool,
    /// Scale of an account: mean requests a day of the median web account.
    pub rate: f64,
    /// Days without attacks at the beginning.
    pub warmup_days: u32,
    /// Least days between two attacks on one account, so that a label is never ambiguous.
    pub spacing_days: u32,
    /// One strong attack of each kind in a fixed order instead of a shuffled deck of all
    /// strengths.
    pub showcase: bool,
    /// Some accounts log the text of their queries.
    pub query_text: bool,
}

impl Default for FleetOptions {
    fn default() -> Self {
        FleetOptions {
            seed: 1,
            accounts: 20,
            days: 60,
            // 2026-09-14, a Monday.
            start: Timestamp(1_789_344_000_000),
            benign_only: false,
            rate: 1000.0,
            warmup_days: 30,
            spacing_days: 9,
            showcase: false,
            query_text: true,
        }
    }
}

impl FleetOptions {
    /// End of the logs (exclusive).
    pub fn end(&self) -> Timestamp {
        self.start.plus_ms(i64::from(self.days) * DAY_MS)
    }
}

/// The fleet of the embedded demo: few accounts, mature baselines, one attack of each kind in
/// the last days, and benign look-alikes all along.
pub fn demo() -> FleetOptions {
    FleetOptions {
        seed: 7,
        accounts: 8,
        days: 44,
        warmup_days: 33,
        spacing_days: 2,
        showcase: true,
        rate: 1200.0,
        ..FleetOptions::default()
    }
}

/// What an account is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Archetype {
    /// A web service with office hours.
    Web,
    /// Nightly and weekly jobs.
    Batch,
    /// Two regions with failovers.
    MultiRegion,
    /// People at desks.
    Developer,
    /// Hardly used.
    Idle,
}

impl Archetype {
    /// Stable name, used in labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Archetype::Web => "web",
            Archetype::Batch => "batch",
            Archetype::MultiRegion => "multi-region",
            Archetype::Developer => "developer",
            Archetype::Idle => "idle",
        }
    }
}

/// An Azure subscription with its people and machines.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) id_text: String,
    pub(crate) home: account::Home,
    /// Accounts in it, as indices.
    pub(crate) accounts: Vec<usize>,
    pub(crate) terraform: Principal,
    pub(crate) scanner: Principal,
    pub(crate) rotator: Principal,
    pub(crate) admins: Vec<Principal>,
    pub(crate) ci: Vec<Ipv4Addr>,
    pub(crate) office: Vec<Ipv4Addr>,
}

/// A burst of requests outside the rhythms: an export, a browsing session, an attack.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) count: u32,
    pub(crate) caller: Caller,
    /// Spread like the caller's day instead of evenly.
    pub(crate) by_day: bool,
    /// All requests end so.
    pub(crate) status: Option<u16>,
    /// Belongs to an ordinary day, so that it counts into the account's mean day.
    pub(crate) routine: bool,
    /// What its queries are.
    pub(crate) asks: Asks,
}

impl Session {
    /// An uncommon session, evenly spread, of which most requests succeed.
    pub(crate) fn new(start: Timestamp, end: Timestamp, count: u32, caller: Caller) -> Session {
        Session {
            start,
            end,
            count,
            caller,
            by_day: false,
            status: None,
            routine: false,
            asks: Asks::Application,
        }
    }
    /// Expected bytes of documents returned.
    pub(crate) fn bytes(&self) -> f64 {
        f64::from(self.count) * self.caller.egress_share() * self.caller.sizes.mean()
    }
}

/// One planned operation of the Activity log.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) time: Timestamp,
    pub(crate) subscription: usize,
    /// ARM id in natural case.
    pub(crate) target: String,
    pub(crate) name: &'static str,
    pub(crate) principal: Principal,
    pub(crate) ip: Ipv4Addr,
    pub(crate) failed: bool,
}

/// A planned fleet: everything that the records follow from.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub(crate) options: FleetOptions,
    pub(crate) tenant: u128,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) accounts: Vec<Account>,
    /// In time order.
    pub(crate) operations: Vec<Operation>,
    pub(crate) tor_exits: Vec<Ipv4Addr>,
    pub(crate) listed: Vec<Ipv4Addr>,
    /// The labels.
    pub attacks: Vec<Attack>,
    /// Unusual but benign episodes, for reading false alerts.
    pub exceptions: Vec<Exception>,
}

impl Fleet {
    /// The options it was drawn from.
    pub fn options(&self) -> &FleetOptions {
        &self.options
    }
    /// Account names, in order.
    pub fn account_names(&self) -> impl Iterator<Item = &str> {
        self.accounts.iter().map(|a| a.name.as_str())
    }
    /// The Tor exits of the time, one address a line.
    pub fn tor_exits_text(&self) -> String {
        self.tor_exits.iter().map(|a| format!("{a}\n")).collect()
    }
    /// The threat list of the time, one address a line.
    pub fn threat_ips_text(&self) -> String {
        self.listed.iter().map(|a| format!("{a}\n")).collect()
    }
    /// ARM id of an account in natural case.
    pub(crate) fn arm_id(&self, account: usize) -> String {
        let a = &self.accounts[account];
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.DocumentDB/databaseAccounts/{}",
            self.subscriptions[a.subscription].id_text, a.resource_group, a.name
        )
    }
}

/// Archetypes in the proportions of a fleet; each eight accounts hold all of them.
const PROPORTIONS: [Archetype; 8] = [
    Archetype::Web,
    Archetype::Batch,
    Archetype::MultiRegion,
    Archetype::Developer,
    Archetype::Web,
    Archetype::Idle,
    Archetype::Web,
    Archetype::Batch,
];

/// Draws a fleet. Pure: the same options give the same fleet.
pub fn plan(options: FleetOptions) -> Fleet {
    let draw = &mut Draw::new(options.seed, Purpose::Fleet, 0, 0);
    let mut fleet = Fleet {
        tenant: draw.uuid(),
        subscriptions: Vec::new(),
        accounts: Vec::new(),
        operations: Vec::new(),
        tor_exits: unique(120, || network::tor(draw)),
        listed: Vec::new(),
        attacks: Vec::new(),
        exceptions: Vec::new(),
        options,
    };
    fleet.listed = unique(200, || {
        let blocks = if draw.chance(0.7) { network::HOSTING } else { network::FAR };
        draw.pick(blocks).address(draw)
    });
    while fleet.accounts.len() < fleet.options.accounts {
        let left = fleet.options.accounts - fleet.accounts.len();
        let size = (5 + draw.below(6)).min(left);
        let size = if left - size < 4 { left } else { size };
        let subscription = life::subscription(fleet.subscriptions.len(), draw);
        let index = fleet.subscriptions.len();
        fleet.subscriptions.push(subscription);
        for _ in 0..size {
            let at = fleet.accounts.len();
            let mut home = fleet.subscriptions[index].home;
            if draw.chance(0.15) {
                home = account::Home::draw(draw);
            }
            let archetype = PROPORTIONS[at % PROPORTIONS.len()];
            let account = account::draw_account(at, index, home, archetype, &fleet.options);
            fleet.subscriptions[index].accounts.push(at);
            fleet.accounts.push(account);
        }
    }
    life::live(&mut fleet);
    if !fleet.options.benign_only {
        attack::schedule(&mut fleet);
    }
    query_life::live(&mut fleet);
    if !fleet.options.benign_only {
        query_attack::schedule(&mut fleet);
    }
    fleet.operations.sort_by(|a, b| (a.time, &a.target, a.name).cmp(&(b.time, &b.target, b.name)));
    fleet
}

fn unique(n: usize, mut one: impl FnMut() -> Ipv4Addr) -> Vec<Ipv4Addr> {
    let mut list: Vec<Ipv4Addr> = (0..n).map(|_| one()).collect();
    list.sort_unstable();
    list.dedup();
    list
}

#[cfg(test)]
mod tests;
