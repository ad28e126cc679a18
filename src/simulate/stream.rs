//! From a plan to records, hour by hour, in order of arrival.
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::time::{HOUR_MS, Timestamp};

use super::account::Account;
use super::caller::{Caller, Credential, Op};
use super::draw::{Draw, Purpose, exp};
use super::query::{Asks, Probe};
use super::record::DataPlane;
use super::{Fleet, Session};

mod operations;
mod queries;

/// Which log a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Log {
    DataPlane(u32),
    Queries(u32),
    Activity(u32),
}

/// One record on its way.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) arrival: Timestamp,
    pub(crate) log: Log,
    sequence: u64,
    pub(crate) bytes: Vec<u8>,
}

/// The records of a fleet in order of arrival.
#[derive(Debug)]
pub struct Records<'a> {
    fleet: &'a Fleet,
    names: Vec<(String, String)>,
    /// Sessions by the hours that they touch.
    sessions: BTreeMap<i64, Vec<(usize, usize)>>,
    hour: i64,
    next_operation: usize,
    sequence: u64,
    /// Generated, latest arrival first.
    waiting: Vec<Item>,
}

/// Native records in order of arrival, each with the moment at which it arrives (60–420 s after
/// the event for most).
pub fn records(fleet: &Fleet) -> Records<'_> {
    let mut sessions: BTreeMap<i64, Vec<(usize, usize)>> = BTreeMap::new();
    for (a, account) in fleet.accounts.iter().enumerate() {
        for (i, session) in account.sessions.iter().enumerate() {
            for hour in session.start.hour()..=session.end.plus_ms(-1).hour() {
                sessions.entry(hour).or_default().push((a, i));
            }
        }
    }
    let names = (0..fleet.accounts.len())
        .map(|i| {
            let subscription = &fleet.subscriptions[fleet.accounts[i].subscription];
            (fleet.arm_id(i).to_ascii_uppercase(), subscription.id_text.clone())
        })
        .collect();
    let hour = fleet.options.start.hour();
    Records { fleet, names, sessions, hour, next_operation: 0, sequence: 0, waiting: Vec::new() }
}

/// The same from the first that arrives at `from` on.
pub fn records_since(fleet: &Fleet, from: Timestamp) -> impl Iterator<Item = (Timestamp, Vec<u8>)> {
    // What arrives later than an hour after its event is not worth the generating.
    let hour = (from.hour() - 1).max(fleet.options.start.hour());
    let start = Timestamp::of_hour(hour);
    let next_operation = fleet.operations.partition_point(|o| o.time < start);
    let records = Records { hour, next_operation, ..records(fleet) };
    records.filter(move |(arrival, _)| *arrival >= from)
}

impl Iterator for Records<'_> {
    type Item = (Timestamp, Vec<u8>);
    fn next(&mut self) -> Option<Self::Item> {
        self.next_item().map(|item| (item.arrival, item.bytes))
    }
}

impl Records<'_> {
    /// The next record with the log it belongs to.
    pub(crate) fn next_item(&mut self) -> Option<Item> {
        loop {
            let finished = self.hour >= self.fleet.options.end().hour();
            // Nothing that is still to be generated arrives before the next hour begins.
            if let Some(last) = self.waiting.last()
                && (finished || last.arrival < Timestamp::of_hour(self.hour))
            {
                return self.waiting.pop();
            }
            if finished {
                return None;
            }
            self.generate();
        }
    }

    fn generate(&mut self) {
        let hour = Timestamp::of_hour(self.hour);
        let mut writer = Writer { out: std::mem::take(&mut self.waiting), sequence: self.sequence };
        for (index, account) in self.fleet.accounts.iter().enumerate() {
            if account.silent(hour) {
                continue;
            }
            let place = Place::new(self.fleet, index, &self.names[index]);
            account_hour(&place, hour, &mut writer);
        }
        for &(a, i) in self.sessions.get(&self.hour).into_iter().flatten() {
            let account = &self.fleet.accounts[a];
            if !account.silent(hour) {
                let place = Place::new(self.fleet, a, &self.names[a]);
                let session = &account.sessions[i];
                session_hour(&place, i, session, hour, &mut writer);
            }
        }
        self.next_operation = operations::hour(self.fleet, self.next_operation, hour, &mut writer);
        self.sequence = writer.sequence;
        self.waiting = writer.out;
        self.waiting.sort_unstable_by_key(|i| std::cmp::Reverse((i.arrival, i.sequence)));
        self.hour += 1;
    }
}

/// An account while its records are written.
struct Place<'a> {
    seed: u64,
    index: usize,
    account: &'a Account,
    resource_id: &'a str,
    subscription: &'a str,
    start_day: i64,
}

impl<'a> Place<'a> {
    fn new(fleet: &'a Fleet, index: usize, names: &'a (String, String)) -> Place<'a> {
        Place {
            seed: fleet.options.seed,
            index,
            account: &fleet.accounts[index],
            resource_id: &names.0,
            subscription: &names.1,
            start_day: fleet.options.start.day(),
        }
    }
}

struct Writer {
    out: Vec<Item>,
    sequence: u64,
}

impl Writer {
    fn push(&mut self, arrival: Timestamp, log: Log, bytes: Vec<u8>) {
        self.sequence += 1;
        self.out.push(Item { arrival, log, sequence: self.sequence, bytes });
    }
}

fn account_hour(place: &Place<'_>, hour: Timestamp, writer: &mut Writer) {
    let account = place.account;
    let day = (hour.day() - place.start_day).max(0) as usize;
    let drift = account.drift.get(day).copied().unwrap_or(1.0);
    let mut noise = Draw::new(place.seed, Purpose::Noise, place.index as u64, hour.hour() as u64);
    let level = drift * exp(account.hour_noise * noise.normal());
    for (c, caller) in account.callers.iter().enumerate() {
        let expected = caller.expected(hour) * level;
        if expected <= 0.0 {
            continue;
        }
        let stream = ((place.index as u64) << 16) | c as u64;
        let draw = &mut Draw::new(place.seed, Purpose::Traffic, stream, hour.hour() as u64);
        for _ in 0..draw.poisson(expected) {
            let at = hour.plus_ms(draw.below_ms(HOUR_MS));
            request(place, caller, Plan::default(), at, draw, writer);
        }
    }
}

/// Requests of a session that fall into an hour: the difference of its cumulative count, so that
/// the total is exact however the hours are cut.
fn session_hour(
    place: &Place<'_>,
    index: usize,
    session: &Session,
    hour: Timestamp,
    writer: &mut Writer,
) {
    let from = session.start.max(hour);
    let until = session.end.min(hour.plus_ms(HOUR_MS));
    let before = cumulative(session, from);
    let stream = ((place.index as u64) << 32) | index as u64;
    let draw = &mut Draw::new(place.seed, Purpose::Session, stream, hour.hour() as u64);
    for number in before..cumulative(session, until) {
        let at = from.plus_ms(draw.below_ms(until.since(from)));
        let plan = Plan { session: Some((index, session)), number: number as usize };
        request(place, &session.caller, plan, at, draw, writer);
    }
}

/// What is planned of a request.
#[derive(Clone, Copy, Default)]
struct Plan<'a> {
    /// It belongs to this session, which has this index.
    session: Option<(usize, &'a Session)>,
    /// So many of the session come before it.
    number: usize,
}

impl<'a> Plan<'a> {
    fn asks(self) -> &'a Asks {
        self.session.map_or(&Asks::Application, |(_, session)| &session.asks)
    }
    fn probe(self) -> Option<&'a Probe> {
        match self.asks() {
            Asks::Probes(list) => list.get(self.number),
            _ => None,
        }
    }
    /// The text, where it is planned.
    fn text(self) -> Option<&'a str> {
        match self.asks() {
            Asks::Broken(text) => Some(text),
            _ => self.probe().map(|p| p.text.as_str()),
        }
    }
    /// The container, where one query is asked over and over.
    fn container(self) -> Option<usize> {
        let (index, session) = self.session?;
        let one = matches!(session.asks, Asks::Broken(_) | Asks::Probes(_) | Asks::Template(_));
        let spread = match session.asks {
            Asks::Probes(_) => index,
            _ => 0,
        };
        one.then_some(spread)
    }
}

fn cumulative(session: &Session, at: Timestamp) -> u32 {
    let share = |until: Timestamp| -> f64 {
        if !session.by_day {
            return until.since(session.start) as f64 / session.end.since(session.start) as f64;
        }
        let mut sum = 0.0;
        let mut hour = session.start;
        while hour < until {
            let next = Timestamp::of_hour(hour.hour() + 1).min(until);
            sum += session.caller.rhythm.hours[hour.hour_of_day()] * next.since(hour) as f64;
            hour = next;
        }
        sum
    };
    let total = share(session.end);
    if at <= session.start || total <= 0.0 {
        return 0;
    }
    (f64::from(session.count) * (share(at.min(session.end)) / total) + 1e-6) as u32
}

/// What the log says of an operation.
fn words(op: Op) -> (&'static str, &'static str, u16) {
    match op {
        Op::Query => ("Query", "Document", 200),
        Op::PointRead => ("Read", "Document", 200),
        Op::Feed => ("ReadFeed", "Document", 200),
        Op::Create => ("Create", "DocumentFeed", 201),
        Op::Upsert => ("Upsert", "DocumentFeed", 200),
        Op::Replace => ("Update", "Document", 200),
        Op::Delete => ("Delete", "Document", 204),
        Op::Execute => ("ExecuteJavaScript", "StoredProcedure", 200),
        Op::ReadAccount => ("Read", "DatabaseAccount", 200),
        Op::ReadRanges => ("ReadFeed", "PartitionKeyRange", 200),
        Op::ReadContainer => ("Read", "Collection", 200),
        Op::ListDatabases => ("Read", "DatabaseFeed", 200),
        Op::ListContainers => ("ReadFeed", "CollectionFeed", 200),
    }
}

fn path(op: Op, account: &Account, container: &str, draw: &mut Draw, out: &mut Vec<u8>) {
    use std::io::Write;
    let database = &account.database;
    // Writing to a vector cannot fail.
    let _ = match op {
        Op::ReadAccount => Ok(()),
        Op::ListDatabases => write!(out, "/dbs"),
        Op::ListContainers => write!(out, "/dbs/{database}/colls"),
        Op::ReadContainer => write!(out, "/dbs/{database}/colls/{container}"),
        Op::ReadRanges => write!(out, "/dbs/{database}/colls/{container}/pkranges"),
        Op::Execute => write!(out, "/dbs/{database}/colls/{container}/sprocs/bulkUpsert"),
        Op::PointRead | Op::Replace | Op::Delete => {
            write!(out, "/dbs/{database}/colls/{container}/docs/{:012x}", draw.bits() >> 16)
        }
        _ => write!(out, "/dbs/{database}/colls/{container}/docs"),
    };
}

fn choose(mix: &[(Op, f64)], draw: &mut Draw) -> Op {
    let total: f64 = mix.iter().map(|m| m.1).sum();
    let mut x = draw.unit() * total;
    for &(op, weight) in mix {
        x -= weight;
        if x < 0.0 {
            return op;
        }
    }
    mix.last().map_or(Op::Query, |m| m.0)
}

/// How a request ended: status and bytes of the answer.
fn outcome(
    place: &Place<'_>,
    caller: &Caller,
    op: Op,
    plan: Plan<'_>,
    draw: &mut Draw,
) -> (u16, u64) {
    let x = draw.unit();
    let account = place.account;
    let data = !matches!(op, Op::ReadAccount | Op::ReadRanges | Op::ReadContainer);
    if let Some(probe) = plan.probe() {
        return (probe.status, probe.bytes);
    }
    if let Some(status) = plan.session.and_then(|(_, s)| s.status) {
        return (status, 150 + draw.below(250) as u64);
    }
    if data && x < account.throttled {
        return (429, 300 + draw.below(60) as u64);
    }
    if op == Op::PointRead && x < account.throttled + account.missing {
        return (404, 220 + draw.below(200) as u64);
    }
    if op == Op::Query && x > 1.0 - account.book.malformed {
        return (400, 400 + draw.below(300) as u64);
    }
    if op == Op::Create && x > 0.998 {
        return (409, 240 + draw.below(60) as u64);
    }
    let bytes = match op {
        Op::Query | Op::PointRead | Op::Feed => {
            // 4 MB is the largest page the service returns.
            draw.log_normal(caller.sizes.median, caller.sizes.sigma).clamp(60.0, 4_194_304.0) as u64
        }
        Op::Delete => 0,
        Op::ReadRanges | Op::ReadAccount => 900 + draw.below(2500) as u64,
        _ => draw.log_normal(420.0, 0.5).clamp(100.0, 60_000.0) as u64,
    };
    (words(op).2, bytes)
}

fn credentials(credential: &Credential) -> (&'static str, &'static str, u128, u128) {
    match *credential {
        Credential::Key(name) => (name, name, 0, 0),
        Credential::Entra(principal, assignment) => ("AadToken", "", principal, assignment),
        Credential::System => ("SystemReadWrite", "SystemReadWrite", 0, 0),
        Credential::None => ("Invalid", "", 0, 0),
    }
}

/// Request units × 1000: a base and a price per kilobyte that differ by operation.
fn charge(op: Op, bytes: u64) -> u64 {
    let (base, per_kib) = match op {
        Op::PointRead => (1000, 300),
        Op::Query => (2790, 900),
        Op::Feed => (2000, 500),
        Op::Create | Op::Upsert | Op::Replace | Op::Delete => (6290, 5000),
        _ => (1000, 0),
    };
    base + bytes * per_kib / 1024
}

fn delay(draw: &mut Draw) -> i64 {
    // Most arrive within two minutes, a few within seven.
    let spread = if draw.chance(0.05) { 360_000 } else { 70_000 };
    60_000 + draw.below_ms(spread)
}

fn request(
    place: &Place<'_>,
    caller: &Caller,
    plan: Plan<'_>,
    at: Timestamp,
    draw: &mut Draw,
    writer: &mut Writer,
) {
    let account = place.account;
    let op = choose(&caller.mix, draw);
    let (operation, resource_type, _) = words(op);
    let (status, bytes) = outcome(place, caller, op, plan, draw);
    let any = draw.below(account.containers.len());
    let any = plan.container().map_or(any, |n| n % account.containers.len().max(1));
    let container = match account.containers.get(any) {
        Some(name) if !account_level(op) => name.as_str(),
        _ => "",
    };
    let (token, key, principal, assignment) = credentials(&caller.credential);
    let mut path_text = Vec::with_capacity(80);
    path(op, account, container, draw, &mut path_text);
    let mut agent = Vec::with_capacity(160);
    // A pool of clients per process: the counter in the agent moves with each redeployed instance.
    caller.agent.write(draw.below(3) + (at.day() % 8) as usize, &mut agent);
    let activity = draw.uuid();
    let direct = caller.direct && op.is_data();
    let mut out = Vec::with_capacity(1400);
    DataPlane {
        time: at,
        ticks: draw.below(10_000) as u32,
        resource_id: place.resource_id,
        operation,
        activity,
        resource_type,
        path: &path_text,
        status,
        duration_us: draw.log_normal(3500.0 + bytes as f64 / 50.0, 0.6) as u64,
        agent: &agent,
        ip: IpAddr::V4(*draw.pick(&caller.addresses)),
        charge_milli: if status < 400 { charge(op, bytes) } else { 0 },
        request_bytes: match plan.text() {
            Some(text) => 96 + text.len() as u64,
            None if op.is_egress() => 120 + draw.below(500) as u64,
            None => draw.below(900) as u64,
        },
        response_bytes: bytes,
        region: caller.region,
        partition: if direct { (place.index as u128 + 1) << 64 | draw.below(3) as u128 } else { 0 },
        role_assignment: assignment,
        principal,
        token_type: token,
        key_type: key,
        direct,
        subscription: place.subscription,
        database: if op == Op::ReadAccount || op == Op::ListDatabases {
            ""
        } else {
            &account.database
        },
        container,
    }
    .write(&mut out);
    let arrival = at.plus_ms(delay(draw));
    let log = Log::DataPlane(place.index as u32);
    if draw.chance(0.0005) {
        // At-least-once delivery: a copy a little later.
        writer.push(arrival.plus_ms(draw.below_ms(60_000)), log, out.clone());
    }
    writer.push(arrival, log, out);
    if op == Op::Query {
        if status == 200 && account.spends {
            for _ in 0..5 {
                draw.bits();
            }
        }
        let run = queries::Run { container, at, activity, status, bytes };
        queries::rows(place, caller, plan, &run, writer);
    }
}

fn account_level(op: Op) -> bool {
    matches!(op, Op::ReadAccount | Op::ListDatabases | Op::ListContainers)
}

impl Op {
    /// Touches documents, so that a direct client goes to a partition itself.
    fn is_data(self) -> bool {
        !account_level(self) && !matches!(self, Op::ReadRanges | Op::ReadContainer)
    }
}
