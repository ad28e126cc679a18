//! Everything between the decoder and the alert file without actors: the pure models, called in
//! the order in which the engine calls them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeMap;
use std::sync::Arc;

use cosmoguard::account::message::{Context, Graded, Pending, Routed};
use cosmoguard::account::model::AccountModel;
use cosmoguard::alert::Alert;
use cosmoguard::alert::dedup::{DeskState, Lane, Sequence};
use cosmoguard::baseline::prior::Contribution;
use cosmoguard::cosmos_sql::Reader;
use cosmoguard::event::{Body, Decoded, Decoder, Event, Place, QueryRead, QueryText};
use cosmoguard::fleet::model::FleetModel;
use cosmoguard::ids::AccountId;
use cosmoguard::intel::view::{AddressInfo, IntelView};
use cosmoguard::limits;
use cosmoguard::router::watermark::Watermark;
use cosmoguard::severity;
use cosmoguard::tenant::model::{TenantModel, TenantOperation};
use cosmoguard::time::{MINUTE_MS, Timestamp};

/// An event with what its address is.
#[derive(Clone, Debug)]
pub struct Told {
    pub event: Event,
    pub address: Arc<AddressInfo>,
    pub query: Option<Arc<QueryRead>>,
}

/// Decodes one record, which must be one that the program understands.
pub fn told(decoder: &mut Decoder, record: &[u8], intel: &IntelView) -> Told {
    let Ok(Decoded::Event(mut event)) = decoder.decode(record) else {
        panic!("no event: {}", String::from_utf8_lossy(record));
    };
    let ip = match &event.body {
        Body::Request(request) => request.client_ip,
        Body::Activity(activity) => activity.client_ip,
        _ => None,
    };
    let text = match &mut event.body {
        Body::Query(run) => std::mem::replace(&mut run.text, QueryText::Absent),
        _ => QueryText::Absent,
    };
    let query = match text {
        QueryText::Parsed(text) => Some(Arc::new(Reader::default().read(&text))),
        QueryText::Absent | QueryText::Raw(_) => None,
    };
    Told { event, address: Arc::new(intel.describe(ip)), query }
}

/// All models, and the alerts so far.
#[derive(Clone)]
pub struct World {
    watermark: Watermark,
    last_tick: Option<Timestamp>,
    accounts: BTreeMap<AccountId, AccountModel>,
    tenant: TenantModel,
    tenant_sequence: u64,
    fleet: FleetModel,
    desk: DeskState,
    context: Context,
    findings: Vec<(Lane, Graded)>,
    contributions: Vec<(i64, AccountId, Contribution)>,
    pub alerts: Vec<Alert>,
}

impl World {
    /// Models that know nothing.
    pub fn new(context: Context) -> World {
        World {
            watermark: Watermark::new(context.profile.time.lateness_minutes * MINUTE_MS),
            last_tick: None,
            accounts: BTreeMap::new(),
            tenant: TenantModel::default(),
            tenant_sequence: 0,
            fleet: FleetModel::default(),
            desk: DeskState::default(),
            context,
            findings: Vec::new(),
            contributions: Vec::new(),
            alerts: Vec::new(),
        }
    }

    /// Takes one event in stream order.
    pub fn take(&mut self, Told { event, address, query }: Told) {
        let watermark = self.watermark.observe(event.time);
        let tick = watermark.millis().div_euclid(limits::TICK_MS) * limits::TICK_MS;
        if watermark != Timestamp::MIN && self.last_tick != Some(Timestamp(tick)) {
            self.tick(Timestamp(tick));
        }
        if let Some(operation) =
            TenantOperation::of(&event, &address, cosmoguard::event::Place::NOWHERE)
        {
            self.tenant.observe(operation, watermark);
        }
        let Some(account) = event.account.clone() else { return };
        let model = self
            .accounts
            .entry(account.clone())
            .or_insert_with(|| AccountModel::new(account.clone()));
        let outcome = model.apply(
            &[Routed { event, address, watermark, place: Place::NOWHERE, query }],
            &self.context,
        );
        self.findings.extend(outcome.findings.into_iter().map(|g| (Lane::Account, g)));
        self.contributions
            .extend(outcome.contributions.into_iter().map(|(day, c)| (day, account.clone(), c)));
    }

    /// Moves everything to `at` and lets the desk hear what was found.
    pub fn tick(&mut self, at: Timestamp) {
        let midnight = self.last_tick.replace(at).filter(|last| at.day() > last.day());
        for (account, model) in &mut self.accounts {
            let outcome = model.tick(at, &self.context);
            self.findings.extend(outcome.findings.into_iter().map(|g| (Lane::Account, g)));
            let said = outcome.contributions.into_iter().map(|(day, c)| (day, account.clone(), c));
            self.contributions.extend(said);
        }
        let advance = self.tenant.advance(at, &self.context.profile);
        for finding in advance.findings {
            let Some(grade) = severity::grade(&finding, &self.context.profile.severity) else {
                continue;
            };
            self.tenant_sequence += 1;
            let graded = Graded { sequence: self.tenant_sequence, finding, grade };
            self.findings.push((Lane::Tenant, graded));
        }
        self.contributions.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        self.fleet.contribute(std::mem::take(&mut self.contributions));
        if let Some(priors) = midnight.and_then(|_| self.fleet.publish(at.day())) {
            self.context.published.priors.publish(priors.day, Arc::new(priors));
        }
        for directory in advance.directories {
            self.context.published.directory.publish(directory.day, directory);
        }
        self.hear(at);
    }

    fn hear(&mut self, at: Timestamp) {
        let key = |(lane, g): &(Lane, Graded)| {
            (g.finding.decided, g.finding.account.clone(), g.finding.kind, *lane, g.sequence)
        };
        self.findings.sort_by_key(key);
        let rules = &self.context.profile.time;
        let numbered = self.findings.iter().map(|(l, g)| (*l, &g.finding.account, g.sequence));
        let new = self.desk.unseen(numbered);
        for ((lane, graded), _) in self.findings.drain(..).zip(new).filter(|(_, new)| *new) {
            let sequence = Sequence { lane, number: None };
            let outcome = self.desk.apply(graded.finding, graded.grade, sequence, rules);
            self.alerts.extend(outcome.alert().cloned());
        }
        self.desk.close_quiet(at, rules);
    }

    /// The models of the accounts and of the tenant.
    pub fn models(&self) -> (&BTreeMap<AccountId, AccountModel>, &TenantModel) {
        (&self.accounts, &self.tenant)
    }

    /// Moves everything to `at`, by when every verdict must be the last word.
    pub fn end(&mut self, at: Timestamp) {
        self.tick(at);
        for (account, model) in &mut self.accounts {
            let pending = model.tick(at, &self.context).pending;
            assert_ne!(pending, Pending::Cells, "{account} has something open");
        }
    }
}
