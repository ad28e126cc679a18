//! What people decided, beside the state that it works on: in the same tree, so that a snapshot
//! carries it and no checkpoint can be half of it; one key a decision, only ever added. The audit
//! log has each of them too, outside of the store.
use serde_json::json;

use super::audit::{self, AuditError, Stage};
use super::layout::DataDir;
use super::schema::{decision, run};
use super::{StateStore, StoreError, WriteBatch, keys};
use crate::account::lessons::{Lesson, Lessons, Teach};
use crate::alert::rules::{Decision, Ledger, Marks, RuleError, Ruling, Subject, What, works_from};
use crate::ids::AccountId;
use crate::time::Timestamp;

/// Why a decision was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// It may not be taken.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The audit log cannot be written: what is not recorded must not be done.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A decision to be taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// What.
    pub what: What,
    /// Event time from which it works; `None`: from now on, which is right after the newest record.
    pub from: Option<Timestamp>,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// Everything that was decided.
///
/// # Errors
/// The store failed or holds damaged state.
pub fn load(store: &dyn StateStore) -> Result<Ledger, StoreError> {
    let (mut ledger, mut failed) = (Ledger::default(), None);
    store.scan(keys::DECISION, &mut |key, sealed| {
        match decision::open(sealed) {
            Ok(decision) => ledger.push(decision),
            Err(cause) => {
                let key = String::from_utf8_lossy(key).into_owned();
                failed = Some(StoreError::Damaged { key, cause });
            }
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(ledger), Err)
}

/// Event time at which a decision that is taken now begins to work.
///
/// # Errors
/// The store failed or its positions are damaged.
pub fn now(store: &dyn StateStore) -> Result<Timestamp, StoreError> {
    let newest = run::clock(store)?.map_or(Timestamp::MIN, |(newest, _)| newest);
    Ok(works_from(newest))
}

/// Takes a decision: audit log, store, audit log. `from` is where it begins to work if the draft
/// does not say; `made` is the wall clock. The service calls this too, with the time of its engine,
/// and then hands the decision to the engine.
///
/// # Errors
/// It may not be taken, or cannot be recorded: then nothing has changed.
pub fn record(
    dir: &DataDir,
    store: &dyn StateStore,
    ledger: &mut Ledger,
    draft: Draft,
    [from, made]: [Timestamp; 2],
) -> Result<Decision, DecideError> {
    let from = draft.from.unwrap_or(from);
    let taken = ledger.draft(draft.what, [from, made], &draft.author, &draft.reason)?;
    let key = keys::decision(taken.number);
    let sealed = decision::seal(&taken)
        .map_err(|cause| StoreError::Damaged { key: format!("j/{}", taken.number), cause })?;
    let view = ledger.view(&taken, from, &Default::default());
    let details = json!({ "decision": taken.number, "is": view });
    let begun = audit::append_stage(dir, made, view.what, Stage::Begun, details.clone())?;
    let mut batch = WriteBatch::default();
    batch.put(key, sealed);
    store.write(batch)?;
    store.flush()?;
    ledger.push(taken.clone());
    let mut details = details;
    details["begun"] = json!(begun.number);
    audit::append_stage(dir, made, view.what, Stage::Done, details)?;
    for why in &view.notices {
        let details = json!({ "rule": view.id, "why": why });
        audit::append(dir, made, "rule notice", details)?;
    }
    Ok(taken)
}

/// The decision of this number is in the store.
///
/// # Errors
/// The store failed.
pub fn is_recorded(store: &dyn StateStore, number: u64) -> Result<bool, StoreError> {
    Ok(store.get(&keys::decision(number))?.is_some())
}

/// The facts of all alert lines that are kept, oldest first.
///
/// # Errors
/// The store failed.
pub fn subjects(store: &dyn StateStore) -> Result<Vec<Subject>, StoreError> {
    let mut subjects = Vec::new();
    store.scan(keys::ALERT, &mut |_, line| {
        subjects.extend(std::str::from_utf8(line).ok().and_then(Subject::read));
        true
    })?;
    Ok(subjects)
}

/// The facts of those lines that a decision marked: all that counting hits needs, and few of many.
///
/// # Errors
/// The store failed.
pub fn marked(store: &dyn StateStore) -> Result<Vec<Subject>, StoreError> {
    let mut subjects = Vec::new();
    store.scan(keys::ALERT, &mut |_, line| {
        let line = std::str::from_utf8(line).unwrap_or_default();
        if Marks::PROPERTIES.iter().any(|name| line.contains(name)) {
            subjects.extend(Subject::read(line).filter(|s| !s.silenced_by.is_empty()));
        }
        true
    })?;
    Ok(subjects)
}

/// What verdicts teach the accounts' models.
pub fn lessons(ledger: &Ledger) -> Lessons {
    let mut lessons = Lessons::default();
    for (decision, verdict, undone) in ledger.lessons() {
        let teach =
            if verdict.ruling == Ruling::Malicious { Teach::KeepOut } else { Teach::Release };
        let given = (decision.from, decision.number);
        let lesson = Lesson { given, undone, story: verdict.story.clone(), teach };
        lessons.add(AccountId::parse(&verdict.account), lesson);
    }
    lessons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::AlertId;
    use crate::alert::rules::{Expectation, Filter, FilterText, Rule, Trust, Verdict};
    use crate::detect::{AlertKind, Severity};
    use crate::store::memory::MemoryStore;

    fn filter() -> Filter {
        let text = FilterText {
            kinds: vec!["CosmosDB_GeoAnomaly".to_owned()],
            account: Some("contoso-*".to_owned()),
            principal: Some("svc-*".to_owned()),
            networks: vec!["203.0.113.0/24".to_owned(), "2001:db8::/32".to_owned()],
            country: Some("NL".to_owned()),
            asn: Some(64500),
            agent: Some("azsdk*".to_owned()),
        };
        Filter::parse(&text).unwrap()
    }

    fn every_kind() -> Vec<What> {
        let until = Timestamp::of_day(20_100);
        let verdict = |ruling| {
            What::Verdict(Verdict {
                alert: AlertId(7),
                kind: AlertKind::GeoAnomaly,
                account: "china/a".to_owned(),
                story: "country BR".to_owned(),
                severity: Severity::Medium,
                ruling,
            })
        };
        vec![
            What::Suppress(Rule { filter: filter(), up_to: Some(Severity::Medium), until }),
            What::Expect(Expectation {
                filter: filter(),
                bytes_max: Some(1 << 30),
                start: Timestamp::of_day(20_000),
                end: until,
                ticket: "CHG-1".to_owned(),
            }),
            What::Trust(Trust::parse("203.0.113.0/24", until).unwrap()),
            verdict(Ruling::Benign),
            verdict(Ruling::Malicious),
            verdict(Ruling::BenignOnce),
            What::End { of: 4 },
        ]
    }

    fn draft(what: What) -> Draft {
        Draft { what, from: None, author: "ann".to_owned(), reason: "known".to_owned() }
    }

    const TIMES: [Timestamp; 2] = [Timestamp(1_730_000_000_000), Timestamp(1_730_000_000_001)];

    #[test]
    fn what_is_recorded_is_loaded_audited_and_taught() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, store) = (DataDir::new(folder.path()), MemoryStore::default());
        let mut ledger = Ledger::default();
        for what in every_kind() {
            let taken = record(&dir, &store, &mut ledger, draft(what), TIMES).unwrap();
            assert!(is_recorded(&store, taken.number).unwrap());
        }
        assert_eq!(load(&store).unwrap(), ledger);
        let entries = audit::read(&dir).unwrap();
        // Two each, and one that the rule reaches far.
        assert_eq!(entries.len(), 2 * every_kind().len() + 1);
        assert!(entries.iter().any(|e| e.action == "rule notice"));
        assert_eq!(audit::unfinished(&dir).unwrap(), None);
        let lessons = lessons(&ledger);
        let of = lessons.of(&AccountId::parse("china/a"));
        assert_eq!(of.len(), 2);
        assert_eq!((of[0].teach, of[0].undone), (Teach::Release, Some((TIMES[0], 7))));
        assert_eq!((of[1].teach, of[1].undone), (Teach::KeepOut, None));
    }

    #[test]
    fn what_is_refused_leaves_no_trace_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, store) = (DataDir::new(folder.path()), MemoryStore::default());
        let mut ledger = Ledger::default();
        let end = draft(What::End { of: 3 });
        assert!(record(&dir, &store, &mut ledger, end, TIMES).is_err());
        assert_eq!((ledger, audit::read(&dir).unwrap().len()), (Ledger::default(), 0));
        let mut batch = WriteBatch::default();
        batch.put(keys::decision(1), b"nothing".to_vec());
        store.write(batch).unwrap();
        assert!(matches!(load(&store), Err(StoreError::Damaged { .. })));
    }

    #[test]
    fn an_audit_log_that_cannot_be_written_stops_it() {
        let folder = tempfile::tempdir().unwrap();
        let (dir, store) = (DataDir::new(folder.path()), MemoryStore::default());
        std::fs::create_dir(dir.audit()).unwrap();
        let what = every_kind().remove(0);
        let refused = record(&dir, &store, &mut Ledger::default(), draft(what), TIMES);
        assert!(matches!(refused, Err(DecideError::Audit(_))));
        assert_eq!(load(&store).unwrap(), Ledger::default());
    }
}
