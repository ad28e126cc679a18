//! Facts of alerts, from the book and the ledger.
use super::{AlertFact, Outcome, Span};
use crate::alert::book::{AlertBook, Entry, Status, Verdict};
use crate::alert::rules::{Ledger, Ruling};
use crate::time::Timestamp;

/// Alerts of `book` that were raised in `span`, first raised first. What became of them is what was
/// said last, in the book or in the ledger.
pub fn alerts(book: &AlertBook, ledger: &Ledger, span: Span) -> Vec<AlertFact> {
    let within = book.entries().iter().filter(|entry| span.holds(entry.first().at));
    let mut facts: Vec<AlertFact> = within.map(|entry| fact(book, ledger, entry)).collect();
    facts.sort_by_key(|fact| (fact.raised, fact.id));
    facts
}

fn fact(book: &AlertBook, ledger: &Ledger, entry: &Entry) -> AlertFact {
    let raised = entry.first().at;
    let (outcome, closed) = outcome(ledger, entry);
    AlertFact {
        id: entry.id,
        kind: book.kind(entry).to_owned(),
        title: book.title(entry).to_owned(),
        account: book.account(entry).to_owned(),
        severity: entry.newest().severity,
        by_rule: entry.by_rule,
        start: entry.start,
        raised,
        // A decision on replayed history is taken later than anything happened; one that would lie
        // before the alert is worth no figure.
        closed: closed.filter(|at| *at >= raised),
        outcome,
    }
}

/// What became of it, and when. A verdict of the ledger knows its moment of event time, a status of
/// the service only the wall clock, which is the same there.
fn outcome(ledger: &Ledger, entry: &Entry) -> (Outcome, Option<Timestamp>) {
    let said = entry.decisions.last();
    let ruled = ledger.verdict(entry.id);
    if let Some((decision, ruling)) = ruled
        && said.is_none_or(|said| said.at <= decision.made)
    {
        let attack = ruling == Ruling::Malicious;
        let outcome = if attack { Outcome::Attack } else { Outcome::Innocent };
        return (outcome, Some(decision.from));
    }
    let Some(said) = said else { return (Outcome::Open, None) };
    let judged = |otherwise| match said.verdict {
        Some(Verdict::Malicious) => Outcome::Attack,
        Some(Verdict::Expected | Verdict::Benign) => Outcome::Innocent,
        None => otherwise,
    };
    match said.status {
        Status::Active => (Outcome::Open, None),
        Status::InProgress => (judged(Outcome::InProgress), None),
        Status::Resolved => (judged(Outcome::Resolved), Some(said.at)),
        Status::Dismissed => (judged(Outcome::Innocent), Some(said.at)),
    }
}
