//! Decisions as programs and tables see them.
use std::collections::BTreeMap;

use serde::Serialize;

use super::suppress::Hits;
use super::{Decision, FilterText, Ledger, Name, Ruling, What};
use crate::alert::AlertId;
use crate::time::Timestamp;

/// A decision in effect, or that was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DecisionView {
    /// `S12`.
    pub id: String,
    /// `suppress`, `expect`, `trust`, `verdict`, `end`.
    pub what: &'static str,
    /// `waiting`, `active`, `expired`, `ended`.
    pub state: &'static str,
    /// Which alerts, of rules and expectations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<FilterText>,
    /// The same in words; of others what they are about.
    pub about: String,
    /// Event time from which it works; absent: from the first record on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Event time at which it stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Who.
    pub author: String,
    /// When, by the wall clock.
    pub made: String,
    /// Why.
    pub reason: String,
    /// Ticket of an expectation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Alerts that it marked in the last 90 days.
    pub hits_90_days: u64,
    /// The last of them, in event time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_hit: Option<String>,
    /// Why it is noted: it reaches far or lasts long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<&'static str>,
}

/// A rule that reaches far or lasts long: shown until it ends, and noted in the audit log when it
/// is made. It is no alert: it has no rarity and takes no part in a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The rule.
    pub rule: String,
    /// Why.
    pub why: &'static str,
}

/// What was said of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disposition {
    /// `V12`.
    pub id: String,
    /// `benign-once`, `benign`, `malicious`.
    pub verdict: &'static str,
    /// Status that follows: `Dismissed`, or `Resolved` for what was dealt with as an attack.
    pub status: &'static str,
    /// Who.
    pub author: String,
    /// When, by the wall clock.
    pub made: String,
    /// Why.
    pub reason: String,
}

impl Decision {
    /// Why a rule is noted.
    pub fn notices(&self) -> Vec<&'static str> {
        let What::Suppress(rule) = &self.what else { return Vec::new() };
        // From the first record on: counted from when it was made.
        let from = if self.from == Timestamp::MIN { self.made } else { self.from };
        let reach = rule.is_broad().then_some("reaches beyond one account");
        let length = rule.is_long(from).then_some("lasts longer than 90 days");
        reach.into_iter().chain(length).collect()
    }

    fn about(&self) -> String {
        match &self.what {
            What::Suppress(rule) => {
                let up_to = rule.up_to.map(|s| format!(", up to {}", s.as_str()));
                rule.filter.words() + &up_to.unwrap_or_default()
            }
            What::Expect(e) => {
                let bytes = e
                    .bytes_max
                    .map(|b| format!(", up to {}", crate::alert::words::bytes(b as f64)));
                e.filter.words() + &bytes.unwrap_or_default()
            }
            What::Trust(trust) => trust.network.to_string(),
            What::Verdict(v) => format!("alert {} {}", v.alert, v.ruling.as_str()),
            What::End { of } => format!("ends decision {of}"),
        }
    }
}

impl Ledger {
    /// A decision as it stands at `now` (event time).
    pub fn view(
        &self,
        decision: &Decision,
        now: Timestamp,
        hits: &BTreeMap<String, Hits>,
    ) -> DecisionView {
        let id = decision.name().to_string();
        let met = hits.get(&id).copied().unwrap_or_default();
        let (what, filter, ticket) = match &decision.what {
            What::Suppress(rule) => ("suppress", Some(rule.filter.text()), None),
            What::Expect(e) => ("expect", Some(e.filter.text()), Some(e.ticket.clone())),
            What::Trust(_) => ("trust", None, None),
            What::Verdict(_) => ("verdict", None, None),
            What::End { .. } => ("end", None, None),
        };
        let from = match &decision.what {
            What::Expect(e) => e.start.max(decision.from),
            _ => decision.from,
        };
        DecisionView {
            id,
            what,
            state: self.state(decision, from, now),
            filter,
            about: decision.about(),
            from: (from > Timestamp::MIN).then(|| from.to_string()),
            until: self.ends(decision).map(|end| end.to_string()),
            author: decision.author.clone(),
            made: decision.made.to_string(),
            reason: decision.reason.clone(),
            ticket,
            hits_90_days: met.alerts,
            last_hit: met.last.map(|at| at.to_string()),
            notices: decision.notices(),
        }
    }

    fn state(&self, decision: &Decision, from: Timestamp, now: Timestamp) -> &'static str {
        if self.was_ended(decision.number) {
            "ended"
        } else if decision.what.until().is_some_and(|until| until <= now) {
            "expired"
        } else if now < from {
            "waiting"
        } else {
            "active"
        }
    }

    /// Rules in effect that reach far or last long, for the status page.
    pub fn notices(&self, now: Timestamp) -> Vec<Notice> {
        let of = |d: &Decision| {
            let rule = d.name().to_string();
            d.notices().into_iter().map(move |why| Notice { rule: rule.clone(), why })
        };
        self.active(now).flat_map(of).collect()
    }

    /// What was said last of an alert and was not taken back.
    pub fn disposition(&self, alert: AlertId) -> Option<Disposition> {
        let (decision, ruling) = self.verdict(alert)?;
        Some(Disposition {
            id: decision.name().to_string(),
            verdict: ruling.as_str(),
            status: if ruling == Ruling::Malicious { "Resolved" } else { "Dismissed" },
            author: decision.author.clone(),
            made: decision.made.to_string(),
            reason: decision.reason.clone(),
        })
    }

    /// The verdict behind [`Ledger::disposition`].
    pub fn verdict(&self, alert: AlertId) -> Option<(&Decision, Ruling)> {
        let of = |d: &'_ Decision| match &d.what {
            What::Verdict(verdict) if verdict.alert == alert => Some(verdict.ruling),
            _ => None,
        };
        let stands = |d: &&Decision| !self.was_ended(d.number);
        let last = self.decisions.values().rev().filter(stands);
        last.filter_map(|d| Some((d, of(d)?))).next()
    }

    /// Verdicts that teach, each with the moment at which it was taken back and by what
    /// number.
    pub fn lessons(
        &self,
    ) -> impl Iterator<Item = (&Decision, &super::Verdict, Option<(Timestamp, u64)>)> {
        self.iter().filter_map(|d| match &d.what {
            What::Verdict(verdict) if verdict.ruling.teaches() => {
                Some((d, verdict, self.ended.get(&d.number).copied()))
            }
            _ => None,
        })
    }

    /// The name under which a decision of this number is known, whatever it is.
    pub fn name(&self, number: u64) -> Option<Name> {
        self.decisions.get(&number).map(Decision::name)
    }
}
