//! What a verdict does beyond the alert's status: a decision of the ledger, which the running engine
//! learns from.
use actix_web::http::StatusCode;

use super::{blocking, rules};
use crate::alert::AlertId;
use crate::alert::book::Verdict as Word;
use crate::alert::rules::{Ruling, Subject, Verdict, What};
use crate::server::gate::Caller;
use crate::server::problem::Problem;
use crate::server::{Service, decisions::Ruled};
use crate::store::keys;

/// The scope of a verdict: this alert.
const ONCE: &str = "once";
/// The scope of a verdict: this alert and what is like it.
const FROM_NOW_ON: &str = "from now on";

/// What a verdict and its scope mean for the models.
pub(super) fn ruling(word: Word, scope: Option<&str>) -> Result<Ruling, Problem> {
    match (word, scope) {
        (Word::Malicious, None | Some(FROM_NOW_ON)) => Ok(Ruling::Malicious),
        (Word::Malicious, Some(ONCE)) => {
            let detail = "what was malicious is never learnt: `from now on`, or no scope";
            Err(Problem::field("scope", detail))
        }
        (Word::Expected | Word::Benign, None | Some(ONCE)) => Ok(Ruling::BenignOnce),
        (Word::Expected | Word::Benign, Some(FROM_NOW_ON)) => Ok(Ruling::Benign),
        (_, Some(_)) => Err(Problem::field("scope", "not `once` or `from now on`")),
    }
}

/// The facts of an alert's newest line.
async fn subject(service: &Service, id: AlertId) -> Result<Subject, Problem> {
    let number = service.shared.book.read().get(id).map(|entry| entry.newest().number);
    let store = std::sync::Arc::clone(&service.shared.store);
    let read = blocking(move || {
        let line = number.map(|number| store.get(&keys::alert(number))).transpose()?.flatten();
        Ok(line.as_deref().and_then(|l| std::str::from_utf8(l).ok()).and_then(Subject::read))
    });
    let old = "this alert's line does not say all that a verdict needs; give it a status only";
    read.await?.ok_or_else(|| Problem::new(StatusCode::CONFLICT, old))
}

/// What stands of an alert: number and ruling.
async fn standing(service: &Service, id: AlertId) -> Result<Option<(u64, Ruling)>, Problem> {
    let shared = service.shared.clone();
    blocking(move || {
        let (ledger, _) = rules::ledger(&shared)?;
        Ok(ledger.verdict(id).map(|(decision, ruling)| (decision.number, ruling)))
    })
    .await
}

/// Rules on an alert; what was said of it before no longer holds.
pub(super) async fn rule(
    service: &Service,
    caller: &Caller,
    id: AlertId,
    (ruling, reason): (Ruling, &str),
) -> Result<Ruled, Problem> {
    let subject = subject(service, id).await?;
    let before = standing(service, id).await?;
    let mut drafts = Vec::new();
    if let Some((of, _)) = before {
        drafts.push((What::End { of }, reason.to_owned()));
    }
    drafts.push((What::Verdict(Verdict::of(&subject, ruling)), reason.to_owned()));
    let taken = rules::take(service, caller, drafts, "body").await?;
    let number = taken.last().map(|d| d.number).unwrap_or_default();
    Ok(Ruled { number, before: before.map(|(_, ruling)| ruling) })
}

/// Takes a ruling back; what was said before it holds again.
pub(super) async fn take_back(
    service: &Service,
    caller: &Caller,
    id: AlertId,
    ruled: Ruled,
) -> Result<(), Problem> {
    let Some((of, _)) = standing(service, id).await?.filter(|(of, _)| *of == ruled.number) else {
        // Somebody took it back meanwhile.
        return Ok(());
    };
    let mut drafts = vec![(What::End { of }, "taken back".to_owned())];
    if let Some(before) = ruled.before {
        let verdict = Verdict::of(&subject(service, id).await?, before);
        drafts.push((What::Verdict(verdict), "holds again: the later one was taken back".into()));
    }
    rules::take(service, caller, drafts, "body").await.map(|_| ())
}
