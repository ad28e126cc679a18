//! Test doubles: an account model that writes down what it is given and stumbles where its script
//! says so, a clock that stands still, and a router over them in paused time.
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use actix::Arbiter;

use cosmoguard::account::logic::{AccountLogic, AccountState};
use cosmoguard::account::message::{
    Context, EventBatch, Graded, Outcome, Pending, Published, Routed,
};
use cosmoguard::baseline::egress::EgressContribution;
use cosmoguard::baseline::location::LocationContribution;
use cosmoguard::baseline::maturity::{Maturity, MaturityState};
use cosmoguard::baseline::prior::Contribution;
use cosmoguard::detect::{
    AlertKind, CallerFacts, Evidence, Finding, PrincipalEvidence, Severity, Test,
};
use cosmoguard::event::{Body, Category, Event, Place};
use cosmoguard::ids::{AccountId, Cloud};
use cosmoguard::intel::view::{Country, IntelView};
use cosmoguard::profile::{Profile, SeverityMode};
use cosmoguard::router::{Factory, Router};
use cosmoguard::severity::{Basis, Grade, NotHigher};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::{StateStore, WriteBatch, keys};
use cosmoguard::time::{Clock, DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

/// Midnight of the day on which the doubles live.
pub const START: Timestamp = Timestamp(20_000 * DAY_MS);

pub fn id(name: &str) -> AccountId {
    AccountId::new(name, Cloud::Public)
}

pub fn minute(n: i64) -> Timestamp {
    START.plus_ms(n * MINUTE_MS)
}

pub fn hour(n: i64) -> Timestamp {
    START.plus_ms(n * HOUR_MS)
}

/// An event whose digest is its number; its own time is its watermark.
pub fn event(account: &str, number: u64, at: Timestamp) -> Routed {
    Routed {
        event: Event {
            time: at,
            digest: u128::from(number),
            account: Some(id(account)),
            resource_id: None,
            body: Body::Coverage(Category::PartitionKeyStatistics),
        },
        address: Arc::new(IntelView::empty().describe(None)),
        watermark: at,
        place: Place::NOWHERE,
        query: None,
    }
}

/// What is to go wrong, and when, over all lives of the accounts.
#[derive(Default)]
pub struct Script {
    falls: Mutex<Falls>,
    /// Panics that happened.
    happened: AtomicU64,
    /// No account can be sealed.
    unsealable: AtomicBool,
    /// While shut, these accounts wait before they apply anything.
    shut: Mutex<Vec<AccountId>>,
    opened: Condvar,
    /// Events applied by the accounts that are watched, over all lives.
    applied: Mutex<BTreeMap<AccountId, u64>>,
    progressed: Condvar,
}

/// Panics that are left.
#[derive(Default)]
struct Falls {
    at_events: BTreeMap<u64, u32>,
    at_ticks: u32,
    at_checkpoints: u32,
}

impl Script {
    pub fn panics_at(&self, number: u64, times: u32) {
        self.falls.lock().unwrap().at_events.insert(number, times);
    }
    pub fn panics_at_ticks(&self, times: u32) {
        self.falls.lock().unwrap().at_ticks = times;
    }
    pub fn panics_at_checkpoints(&self, times: u32) {
        self.falls.lock().unwrap().at_checkpoints = times;
    }
    /// No account can be sealed from now on; or can again.
    pub fn seals(&self, can: bool) {
        self.unsealable.store(!can, Ordering::SeqCst);
    }
    pub fn happened(&self) -> u64 {
        self.happened.load(Ordering::SeqCst)
    }
    pub fn shut(&self, account: &str) {
        self.shut.lock().unwrap().push(id(account));
    }
    pub fn open(&self) {
        self.shut.lock().unwrap().clear();
        self.opened.notify_all();
    }
    /// Counts what `account` applies from now on.
    pub fn watch(&self, account: &str) {
        self.applied.lock().unwrap().insert(id(account), 0);
    }
    /// Waits until `account`, which is watched, has applied so many events, then opens.
    pub fn open_after(&self, account: &str, events: u64) {
        let few = |applied: &mut BTreeMap<AccountId, u64>| {
            applied.get(&id(account)).is_some_and(|n| *n < events)
        };
        drop(self.progressed.wait_while(self.applied.lock().unwrap(), few).unwrap());
        self.open();
    }
    fn note_applied(&self, account: &AccountId) {
        if let Some(applied) = self.applied.lock().unwrap().get_mut(account) {
            *applied += 1;
            self.progressed.notify_all();
        }
    }
    fn pass_gate(&self, account: &AccountId) {
        let shut = |shut: &mut Vec<AccountId>| shut.contains(account);
        drop(self.opened.wait_while(self.shut.lock().unwrap(), shut).unwrap());
    }
    /// Panics if any is left there.
    fn stumble(&self, there: impl FnOnce(&mut Falls) -> Option<&mut u32>) {
        let falls = {
            let mut falls = self.falls.lock().unwrap();
            let left = there(&mut falls).filter(|left| **left > 0);
            left.map(|left| *left -= 1).is_some()
        };
        if falls {
            self.happened.fetch_add(1, Ordering::SeqCst);
            // Quietly: without the hook that prints.
            std::panic::resume_unwind(Box::new("as the script says"));
        }
    }
}

/// The double: remembers the numbers it was given, in order, and finds something in each event.
pub struct Ledger {
    account: AccountId,
    script: Arc<Script>,
    numbers: Vec<u64>,
    newest: Timestamp,
    /// End of the day that is open.
    day_end: Option<Timestamp>,
}

impl Ledger {
    fn new(account: &AccountId, sealed: Option<&[u8]>, script: &Arc<Script>) -> Ledger {
        let words: Vec<i64> = sealed
            .unwrap_or_default()
            .chunks_exact(8)
            .map(|c| i64::from_le_bytes(c.try_into().unwrap()))
            .collect();
        let (head, numbers) = words.split_at(words.len().min(2));
        Ledger {
            account: account.clone(),
            script: Arc::clone(script),
            numbers: numbers.iter().map(|n| *n as u64).collect(),
            newest: head.first().map_or(Timestamp::MIN, |n| Timestamp(*n)),
            day_end: head.get(1).filter(|end| **end > 0).map(|end| Timestamp(*end)),
        }
    }
    /// The numbers in a sealed ledger.
    pub fn read(sealed: &[u8]) -> Vec<u64> {
        Ledger::new(&id("any"), Some(sealed), &Arc::default()).numbers
    }
    /// One that knows nothing, but that its day is open at `at`.
    pub fn sealed_in_its_day(at: Timestamp) -> Vec<u8> {
        [at.0, Timestamp::of_day(at.day() + 1).0].into_iter().flat_map(i64::to_le_bytes).collect()
    }
    fn pending(&self, watermark: Timestamp) -> Pending {
        match self.day_end {
            _ if self.newest > watermark => Pending::Cells,
            Some(end) => Pending::DayEnd(end),
            None => Pending::Nothing,
        }
    }
    fn end_day(&mut self, watermark: Timestamp, out: &mut Outcome) {
        if let Some(end) = self.day_end.take_if(|end| *end <= watermark) {
            let contribution = contribution(self.numbers.len());
            out.contributions.push((end.day() - 1, contribution));
        }
    }
}

impl AccountLogic for Ledger {
    fn apply(&mut self, batch: &EventBatch, _: &Context) -> Outcome {
        let mut out = Outcome::default();
        if !batch.events.is_empty() {
            self.script.pass_gate(&self.account);
        }
        for routed in &batch.events {
            self.end_day(routed.watermark, &mut out);
            let number = routed.event.digest as u64;
            self.script.stumble(|falls| falls.at_events.get_mut(&number));
            self.numbers.push(number);
            self.script.note_applied(&self.account);
            self.newest = self.newest.max(routed.event.time);
            self.day_end = Some(Timestamp((self.newest.day() + 1) * DAY_MS));
            let sequence = self.numbers.len() as u64;
            out.findings.push(finding(&self.account, sequence, routed.event.time));
        }
        // An event stands open until a tick passes it.
        out.pending =
            if batch.events.is_empty() { self.pending(self.newest) } else { Pending::Cells };
        out
    }
    fn tick(&mut self, watermark: Timestamp, _: &Context) -> Outcome {
        self.script.stumble(|falls| Some(&mut falls.at_ticks));
        let mut out = Outcome::default();
        self.end_day(watermark, &mut out);
        out.pending = self.pending(watermark);
        out
    }
    fn judge_open(&self, _: &Context) -> Vec<Graded> {
        Vec::new()
    }
    fn checkpoint(&self) -> Option<Vec<u8>> {
        self.script.stumble(|falls| Some(&mut falls.at_checkpoints));
        if self.script.unsealable.load(Ordering::SeqCst) {
            return None;
        }
        let head = [self.newest.0, self.day_end.map_or(0, |end| end.0)];
        let words = head.into_iter().chain(self.numbers.iter().map(|n| *n as i64));
        Some(words.flat_map(i64::to_le_bytes).collect())
    }
    fn state(&self) -> AccountState {
        let records = self.numbers.len() as u64;
        AccountState { records, sequence: records, ..AccountState::default() }
    }
}

/// As a grown account gives it: three kinds of novelty in three countries.
fn contribution(events: usize) -> Contribution {
    let mut novelty_days = vec![0.0; 31];
    [0, 3, 30].into_iter().for_each(|i| novelty_days[i] = 1.5);
    let country_shares = [(*b"DE", 0.2), (*b"IE", 0.1), (*b"NL", 0.7)];
    Contribution {
        egress: Some(EgressContribution { days: 32, size: 1e4, ..EgressContribution::default() }),
        location: Some(LocationContribution {
            exposure_days: events as f64,
            novelty_days,
            country_shares: country_shares.map(|(c, share)| (Country(c), share)).to_vec(),
        }),
    }
}

fn finding(account: &AccountId, sequence: u64, decided: Timestamp) -> Graded {
    let severity = Severity::Low;
    Graded {
        sequence,
        finding: Finding {
            kind: AlertKind::SuspiciousPrincipal,
            account: account.clone(),
            resource_id: None,
            accounts: vec![(account.clone(), None)],
            dedup: sequence.to_string(),
            start: decided,
            end: decided,
            decided,
            test: Test { p: 1e-9, per_day: 1.0, rule: None, ceiling: None },
            maturity: Maturity { state: MaturityState::Mature, age_days: 60.0, active_days: 60 },
            late: false,
            caller: CallerFacts::default(),
            records: Default::default(),
            evidence: Evidence::Principal(PrincipalEvidence {
                last_seen_days: None,
                elsewhere_accounts: 0,
                usual_principals: Vec::new(),
                unexpected: 1,
                failures_before: 0,
            }),
            facets: Vec::new(),
            companions: Vec::new(),
        },
        grade: Grade {
            severity,
            basis: Basis::Measured,
            nominal_per_day: 1e-9,
            limits_per_day: [0.1, 0.01, 0.001],
            by_budget: severity,
            defender: [severity; 2],
            mode: SeverityMode::Budget,
            floor: severity,
            cap: severity,
            not_higher: NotHigher::KindCap,
        },
    }
}

/// A clock that moves when it is told to.
#[derive(Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    pub fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        START.plus_ms(self.monotonic_ms() as i64)
    }
    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub fn context() -> Context {
    Context {
        profile: Arc::new(Profile::default()),
        intel: Arc::new(IntelView::empty()),
        published: Published::default(),
    }
}

/// A router over ledgers, with everything around it.
pub struct House {
    pub router: Router,
    pub script: Arc<Script>,
    pub clock: Arc<ManualClock>,
    pub store: Arc<dyn StateStore>,
    arbiters: Vec<Arbiter>,
}

impl House {
    pub fn new(threads: usize) -> House {
        House::over(threads, Arc::new(MemoryStore::default()))
    }

    pub fn over(threads: usize, store: Arc<dyn StateStore>) -> House {
        let script = Arc::new(Script::default());
        let clock = Arc::new(ManualClock::default());
        let arbiters: Vec<Arbiter> = (0..threads).map(|_| Arbiter::new()).collect();
        let handles = arbiters.iter().map(Arbiter::handle).collect();
        let scripted = Arc::clone(&script);
        let factory: Factory =
            Arc::new(move |id, sealed| Box::new(Ledger::new(id, sealed, &scripted)));
        let router = Router::new(
            handles,
            factory,
            Arc::clone(&store),
            Arc::<ManualClock>::clone(&clock),
            Arc::new(context()),
        );
        House { router, script, clock, store, arbiters }
    }

    /// Writes a checkpoint of everything, as a run does.
    pub async fn checkpoint(&mut self) {
        let mut batch = WriteBatch::default();
        self.router.checkpoint(&mut batch).await.unwrap();
        self.store.write(batch).unwrap();
        self.router.checkpointed().unwrap();
    }

    /// What an account remembers, after a checkpoint.
    pub async fn numbers(&mut self, account: &str) -> Vec<u64> {
        self.checkpoint().await;
        let sealed = self.store.get(&keys::account(&id(account))).unwrap();
        sealed.map(|sealed| Ledger::read(&sealed)).unwrap_or_default()
    }

    pub fn close(self) {
        self.script.open();
        for arbiter in self.arbiters {
            arbiter.stop();
            arbiter.join().unwrap();
        }
    }
}

/// Runs a test in an actor system whose clock stands still, or jumps when nothing else can happen.
pub fn in_paused_time<T>(test: impl Future<Output = T>) -> T {
    actix::System::new().block_on(async {
        tokio::time::pause();
        test.await
    })
}
