//! What a store knows of a span of time.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{fleet, status};
use crate::account::model::AccountModel;
use crate::account::view::Blindness;
use crate::alert::book::AlertBook;
use crate::alert::report::{self, Blind, Degraded, Facts, Span};
use crate::alert::rules::{DecisionView, hits};
use crate::baseline::tempo::HourStatus;
use crate::ids::AccountId;
use crate::profile::Profile;
use crate::severity;
use crate::store::layout::DataDir;
use crate::store::{StateStore, decisions, display_ring, keys};
use crate::time::{DAY_MS, Timestamp};

/// A category that an account used to send is silent when nothing of it came for so long before the
/// account's last record, milliseconds.
const SILENT_MS: i64 = DAY_MS;

/// Reads the facts. `inventory` are accounts that are known to be there and never logged; `made` is
/// the wall clock.
///
/// # Errors
/// The store, the audit log or the ladder's log cannot be read.
pub fn gather(
    store: &dyn StateStore,
    dir: &DataDir,
    profile: &Profile,
    span: Span,
    made: Timestamp,
) -> anyhow::Result<Facts> {
    let mut book = AlertBook::default();
    store.scan(keys::ALERT, &mut |key, line| {
        let number = key.strip_prefix(keys::ALERT).and_then(|n| n.try_into().ok());
        if let Some(number) = number {
            book.add(u64::from_be_bytes(number), line);
        }
        true
    })?;
    for (id, decision) in status::all(dir)? {
        book.decide(id, decision);
    }
    let ledger = decisions::load(store)?;
    let met = hits(&decisions::subjects(store)?, span.to);
    let decided: Vec<DecisionView> =
        ledger.active(span.to).map(|d| ledger.view(d, span.to, &met)).collect();
    let rings = Rings::read(store, span)?;
    let mut seen = Seen::default();
    let damaged = fleet::each(store, &mut |model| seen.take(&model, &rings, span))?;
    let mut degraded = rings.gaps;
    degraded.append(&mut seen.silent);
    degraded.extend(repairs(dir, span)?);
    degraded.sort_by(|a, b| (a.from, &a.account, &a.what).cmp(&(b.from, &b.account, &b.what)));
    Ok(Facts {
        span,
        made,
        alerts: report::alerts(&book, &ledger, span),
        accounts: seen.accounts,
        account_days: seen.days as f64,
        allowed: severity::expected_false_alerts(&profile.severity, seen.days as f64),
        blind: seen.blind(),
        never_logged: Vec::new(),
        decisions: decided,
        degraded,
        notes: notes(damaged),
    })
}

fn notes(damaged: usize) -> Vec<String> {
    let mut notes = vec![
        "An alert counts in the span in which it was first raised, with the severity of its newest revision. Times are those of the records; of a status that was set in the service, those of the clock.".to_owned(),
        format!(
            "An account-day is a day with logs. Which hours had logs is known of the last {} days; before, every day from an account's first record on counts.",
            display_ring::DAYS_KEPT
        ),
        "Alerts that nobody judged are counted in no share; the picture shows how far they would reach.".to_owned(),
        "What accounts do not send, and what is in effect, is as of now and as of the end of the span.".to_owned(),
    ];
    if damaged > 0 {
        notes.push(format!("{damaged} stored models do not open and are left out."));
    }
    notes
}

/// What the display rings say.
#[derive(Default)]
struct Rings {
    /// By account: first day that is known, and days of the span with logs.
    days: BTreeMap<AccountId, (i64, i64)>,
    /// Gaps in the span.
    gaps: Vec<Degraded>,
}

impl Rings {
    fn read(store: &dyn StateStore, span: Span) -> anyhow::Result<Rings> {
        let mut rings = Rings::default();
        display_ring::each(store, &mut |account, day, bytes| {
            rings.take(account.clone(), day, bytes, span);
        })?;
        Ok(rings)
    }

    /// Rings come by account and then by day.
    fn take(&mut self, account: AccountId, day: i64, bytes: &[u8], span: Span) {
        let hours = display_ring::read(day, bytes);
        let (first, days) = self.days.entry(account.clone()).or_insert((day, 0));
        *first = (*first).min(day);
        let within = |hour: i64| span.holds(Timestamp::of_hour(hour));
        let watched = |status| status != HourStatus::Gap;
        if hours.iter().any(|hour| within(hour.hour) && watched(hour.status)) {
            *days += 1;
        }
        for hour in hours.iter().filter(|h| h.status == HourStatus::Gap && within(h.hour)) {
            let (from, until) = (Timestamp::of_hour(hour.hour), Timestamp::of_hour(hour.hour + 1));
            let name = account.to_string();
            match self.gaps.last_mut().filter(|g| g.account == name && g.until == Some(from)) {
                Some(gap) => gap.until = Some(until),
                None => self.gaps.push(Degraded {
                    account: name,
                    what: "no logs, taken as unknown".to_owned(),
                    from,
                    until: Some(until),
                }),
            }
        }
    }
}

/// What the models say.
#[derive(Default)]
struct Seen {
    accounts: usize,
    days: i64,
    blind: Vec<(Blindness, BTreeSet<String>)>,
    silent: Vec<Degraded>,
}

impl Seen {
    fn take(&mut self, model: &AccountModel, rings: &Rings, span: Span) {
        let Some((first, last)) = model.seen() else { return };
        if first >= span.to {
            return;
        }
        self.accounts += 1;
        let (known_from, known) =
            rings.days.get(model.id()).copied().unwrap_or((last.day().saturating_add(1), 0));
        let until = span.to.plus_ms(-1).day().saturating_add(1).min(known_from);
        let before = until.saturating_sub(first.day().max(span.from.day()));
        self.days = self.days.saturating_add(known).saturating_add(before.max(0));
        let name = model.id().to_string();
        for blindness in model.blindness() {
            match self.blind.iter_mut().find(|(known, _)| *known == blindness) {
                Some((_, accounts)) => drop(accounts.insert(name.clone())),
                None => self.blind.push((blindness, BTreeSet::from([name.clone()]))),
            }
        }
        for (category, at) in model.last_of_categories() {
            if span.holds(at) && last.since(at) > SILENT_MS {
                self.silent.push(Degraded {
                    account: name.clone(),
                    what: format!("nothing of {} any more", category.as_str()),
                    from: at,
                    until: None,
                });
            }
        }
    }

    fn blind(self) -> Vec<Blind> {
        let mut blind: Vec<Blind> = self
            .blind
            .into_iter()
            .map(|(b, accounts)| Blind {
                missing: b.missing.to_owned(),
                blind: b.blind.to_owned(),
                accounts: accounts.into_iter().collect(),
            })
            .collect();
        blind.sort_by(|a, b| (b.accounts.len(), &a.missing).cmp(&(a.accounts.len(), &b.missing)));
        blind
    }
}

/// What the ladder did, by the wall clock.
fn repairs(dir: &DataDir, span: Span) -> anyhow::Result<Vec<Degraded>> {
    let text = match std::fs::read_to_string(dir.recovery()) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e.into()),
    };
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(lines.filter_map(|line| repair(&line)).filter(|d| span.holds(d.from)).collect())
}

fn repair(line: &Value) -> Option<Degraded> {
    let at = Timestamp::parse(line.get("at")?.as_str()?)?;
    let rung = line.get("rung")?.as_str()?;
    let accounts = line.get("accounts").and_then(Value::as_array).map_or(0, Vec::len);
    Some(Degraded {
        account: String::new(),
        what: format!("state repaired ({rung}), {accounts} accounts older or afresh"),
        from: at,
        until: Some(at),
    })
}
