//! What came to accounts and is not in their models: the stream goes on without it, and a later run
//! does not read it again. So it is kept by account, from when to when and how much.
use serde::{Deserialize, Serialize};

use super::{StateStore, StoreError, WriteBatch, codec, keys};
use crate::ids::AccountId;
use crate::time::Timestamp;

/// Longest value: three numbers, twice.
const BYTES_MAX: usize = 256;

/// Records of a span of event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// How many.
    pub records: u64,
    /// Event time of the first.
    pub first: Timestamp,
    /// Event time of the last.
    pub last: Timestamp,
}

impl Span {
    /// All of `times`; `None` if there are none.
    pub fn of(times: impl Iterator<Item = Timestamp>) -> Option<Span> {
        let one = times.map(|at| Span { records: 1, first: at, last: at });
        one.reduce(Span::with)
    }

    fn with(self, other: Span) -> Span {
        Span {
            records: self.records.saturating_add(other.records),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// Both, where there are both.
pub fn both(a: Option<Span>, b: Option<Span>) -> Option<Span> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.with(b)),
        (one, None) | (None, one) => one,
    }
}

/// What one account did not learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Untaught {
    /// Set aside: the model panicked at it twice, or the account was in quarantine.
    pub set_aside: Option<Span>,
    /// Learnt by a model that could not be sealed, and lost with the process: an older one, or none,
    /// is in the store.
    pub unsealed: Option<Span>,
}

impl Untaught {
    /// Why and how much, a line each.
    pub fn lines(&self) -> Vec<String> {
        let line = |span: Span, why: &str| {
            let (first, last) = (span.first.minutes_text(), span.last.minutes_text());
            let s = if span.records == 1 { "" } else { "s" };
            format!("{} record{s} from {first} to {last}: {why}", span.records)
        };
        let set_aside = self.set_aside.map(|span| line(span, "the model failed at them"));
        let unsealed =
            self.unsealed.map(|span| line(span, "the model is too large or damaged to be stored"));
        set_aside.into_iter().chain(unsealed).collect()
    }
}

type SpanV1 = (u64, i64, i64);

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
struct UntaughtV1 {
    set_aside: Option<SpanV1>,
    unsealed: Option<SpanV1>,
}

fn decoded(account: &AccountId, sealed: &[u8]) -> Result<Untaught, StoreError> {
    let stored: UntaughtV1 = codec::decode(sealed, BYTES_MAX).map_err(|cause| {
        let key = String::from_utf8_lossy(&keys::untaught(account)).into_owned();
        StoreError::Damaged { key, cause }
    })?;
    let span =
        |(records, first, last)| Span { records, first: Timestamp(first), last: Timestamp(last) };
    Ok(Untaught { set_aside: stored.set_aside.map(span), unsealed: stored.unsealed.map(span) })
}

/// What `account` did not learn.
///
/// # Errors
/// The store failed or the value is damaged.
pub fn load(store: &dyn StateStore, account: &AccountId) -> Result<Untaught, StoreError> {
    let sealed = store.get(&keys::untaught(account))?;
    sealed.map_or(Ok(Untaught::default()), |sealed| decoded(account, &sealed))
}

/// All accounts that did not learn something, ascending.
///
/// # Errors
/// The store failed or a value is damaged.
pub fn all(store: &dyn StateStore) -> Result<Vec<(AccountId, Untaught)>, StoreError> {
    let (mut all, mut failed) = (Vec::new(), None);
    store.scan(keys::UNTAUGHT, &mut |key, sealed| {
        let Some(account) = keys::named(key, keys::UNTAUGHT) else { return true };
        match decoded(&account, sealed) {
            Ok(untaught) => all.push((account, untaught)),
            Err(e) => failed = Some(e),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(all), Err)
}

/// Puts it into a batch; nothing is no entry.
///
/// # Errors
/// It cannot be encoded.
pub fn save(
    account: &AccountId,
    untaught: &Untaught,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let key = keys::untaught(account);
    if *untaught == Untaught::default() {
        batch.delete(key);
        return Ok(());
    }
    let span = |span: Span| (span.records, span.first.0, span.last.0);
    let stored = UntaughtV1 {
        set_aside: untaught.set_aside.map(span),
        unsealed: untaught.unsealed.map(span),
    };
    let sealed = codec::encode(&stored, BYTES_MAX).map_err(|cause| StoreError::Damaged {
        key: String::from_utf8_lossy(&key).into_owned(),
        cause,
    })?;
    batch.put(key, sealed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    #[test]
    fn what_is_saved_is_found_and_nothing_leaves_no_entry() {
        let (store, account) = (MemoryStore::default(), AccountId::parse("china/a"));
        let span = Span::of([7, -3, 9].map(Timestamp).into_iter());
        assert_eq!(span, Some(Span { records: 3, first: Timestamp(-3), last: Timestamp(9) }));
        assert_eq!(both(span, span).unwrap().records, 6);
        let some = Untaught { set_aside: span, unsealed: None };
        for untaught in [some, Untaught { unsealed: span, ..some }, Untaught::default()] {
            let mut batch = WriteBatch::default();
            save(&account, &untaught, &mut batch).unwrap();
            store.write(batch).unwrap();
            assert_eq!(load(&store, &account).unwrap(), untaught);
            let found = all(&store).unwrap();
            assert_eq!(found.len(), usize::from(untaught != Untaught::default()));
        }
    }
}
