//! Is what a store opened with what it should hold? One pass over everything, and a judgement that
//! is plain data in, plain data out.
use super::census::{Census, Group};
use super::envelope::{self, EnvelopeError};
use super::mark::Mark;
use super::schema::{account, evidence, run};
use super::sled_store::Found;
use super::{StateStore, StoreError, keys};

/// A value that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Its key.
    pub key: Vec<u8>,
    /// What is wrong with it.
    pub cause: EnvelopeError,
}

/// What one pass found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// What is there.
    pub census: Census,
    /// Damaged values.
    pub damaged: Vec<Damage>,
}

/// How closely values are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Checksums. With a census that fits it is enough: the bytes are those that were written.
    Checksums,
    /// Accounts are decoded too: where there is reason for doubt.
    Decoded,
}

/// Looks at everything in `store`.
///
/// # Errors
/// The engine failed or cannot make sense of its files.
pub fn examine(store: &dyn StateStore, depth: Depth) -> Result<Examined, StoreError> {
    let mut examined = Examined::default();
    store.scan(b"", &mut |key, value| {
        examined.census.add(key, value);
        if let Err(cause) = check(key, value, depth) {
            examined.damaged.push(Damage { key: key.to_vec(), cause });
        }
        true
    })?;
    Ok(examined)
}

/// Checks one value as what its key says that it is.
fn check(key: &[u8], value: &[u8], depth: Depth) -> Result<(), EnvelopeError> {
    match Group::of(key) {
        Group::Accounts if depth == Depth::Decoded => account::open(value).map(|_| ()),
        Group::Accounts => envelope::check(value, account::CHECKPOINT_BYTES_MAX),
        // Neither lines nor rings have an envelope; the census knows their checksums.
        Group::Alerts | Group::Display => Ok(()),
        Group::Evidence => evidence::open(value).map(|_| ()),
        Group::Run if value.starts_with(&envelope::MAGIC) || is_sealed(key) => {
            envelope::check(value, run::PART_BYTES_MAX)
        }
        Group::Run => Ok(()),
    }
}

/// Keys whose values always have an envelope.
fn is_sealed(key: &[u8]) -> bool {
    [keys::desk(), keys::tenant(), keys::fleet(), keys::positions(), keys::staged_good()]
        .iter()
        .any(|sealed| sealed == key)
        || key.starts_with(keys::PRIORS)
        || key.starts_with(keys::DIRECTORY)
        || key.starts_with(keys::DECISION)
}

/// What is wrong with a store. Nothing, mostly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The store is of no use as it is: why.
    pub whole: Option<String>,
    /// Account values (key and cause) that are damaged while all else is as it should be.
    pub accounts: Vec<Damage>,
    /// Records of alerts that are damaged: nothing can be made of them.
    pub evidence: Vec<Damage>,
    /// What is incomplete and does no harm to anything else.
    pub incomplete: Vec<String>,
    /// It is whole but an earlier one: batches it has, and batches that there were.
    pub behind: Option<(u64, u64)>,
    /// A value that a newer build wrote: nothing is wrong, and nothing here can judge it.
    pub newer: Option<Damage>,
    /// It has no census yet: a build before there was one wrote it.
    pub uncounted: bool,
}

impl Judgement {
    /// Nothing to repair and nothing to say.
    pub fn is_sound(&self) -> bool {
        self.whole.is_none()
            && self.newer.is_none()
            && self.accounts.is_empty()
            && self.evidence.is_empty()
            && self.incomplete.is_empty()
            && self.behind.is_none()
    }
}

/// Judges what was found against what should be there.
pub fn judge(examined: &Examined, recorded: &Found, mark: Option<Mark>) -> Judgement {
    let mut judgement = Judgement::default();
    let recorded = match expected(recorded, mark) {
        Ok(Some(census)) => census,
        Ok(None) => {
            judgement.uncounted = true;
            examined.census
        }
        Err(judgement) => return *judgement,
    };
    let differs = |group| examined.census.group(group) != recorded.group(group);
    // A flipped bit may claim a version as well, but then the sum of its group is another.
    let written = |d: &&Damage| {
        matches!(d.cause, EnvelopeError::FutureVersion { .. }) && !differs(Group::of(&d.key))
    };
    if let Some(damage) = examined.damaged.iter().find(written) {
        return newer(damage.clone());
    }
    let run = examined.damaged.iter().find(|d| Group::of(&d.key) == Group::Run);
    if let Some(Damage { key, cause }) = run {
        return whole(format!("what lies under `{}`: {cause}", String::from_utf8_lossy(key)));
    }
    let counts = |group| (examined.census.group(group).entries, recorded.group(group).entries);
    if differs(Group::Run) {
        return whole("records of the run are missing or older than the rest".to_owned());
    }
    // A damaged header makes the sum differ too, and explains it.
    let (have, had) = counts(Group::Accounts);
    if have != had {
        return whole(format!("it holds {have} account records of {had}"));
    }
    (judgement.accounts, judgement.evidence) =
        examined.damaged.iter().cloned().partition(|d| Group::of(&d.key) == Group::Accounts);
    if differs(Group::Accounts) && judgement.accounts.is_empty() {
        return whole("account records are of different age".to_owned());
    }
    for (group, what) in [
        (Group::Alerts, "alert lines (`explain`)"),
        (Group::Display, "hours (`why-not`)"),
        (Group::Evidence, "records of alerts (`evidence`)"),
    ] {
        // A damaged header makes the sum differ too, and is told by itself.
        if differs(group) && (group != Group::Evidence || judgement.evidence.is_empty()) {
            let (have, had) = counts(group);
            judgement.incomplete.push(format!("{what}: {have} records of {had}"));
        }
    }
    judgement.behind = mark
        .filter(|mark| recorded.writes < mark.writes)
        .map(|mark| (recorded.writes, mark.writes));
    judgement
}

/// What should be there; `None` if a build before there was a census wrote it. The error judges a
/// store of which that is not known.
fn expected(recorded: &Found, mark: Option<Mark>) -> Result<Option<Census>, Box<Judgement>> {
    let judgement = match (recorded, mark) {
        (Found::Census(census), _) => return Ok(Some(**census)),
        (Found::NoCensus, None) => return Ok(None),
        (Found::Nothing, None) => Judgement::default(),
        (Found::Nothing, Some(mark)) if mark.writes == 0 => Judgement::default(),
        (Found::Nothing, Some(mark)) => whole(format!(
            "it is empty, and held {} accounts and {} alert lines",
            mark.accounts, mark.alerts
        )),
        (Found::Damaged(cause @ EnvelopeError::FutureVersion { .. }), _) => {
            newer(Damage { key: keys::CENSUS.to_vec(), cause: cause.clone() })
        }
        (Found::Damaged(cause), _) => whole(format!("its census is damaged: {cause}")),
        (Found::NoCensus, Some(_)) => whole("its census is gone".to_owned()),
    };
    Err(Box::new(judgement))
}

fn whole(why: String) -> Judgement {
    Judgement { whole: Some(why), ..Judgement::default() }
}

fn newer(value: Damage) -> Judgement {
    Judgement { newer: Some(value), ..Judgement::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::WriteBatch;
    use crate::store::memory::MemoryStore;

    fn sealed(text: &str) -> Vec<u8> {
        envelope::seal(text.as_bytes())
    }

    fn entries() -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut entries: Vec<(Vec<u8>, Vec<u8>)> = (0..20)
            .map(|n| (format!("a/public/a{n:02}").into_bytes(), sealed(&format!("model {n}"))))
            .collect();
        entries.push((keys::desk(), sealed("desk")));
        entries.push((keys::positions(), sealed("positions")));
        entries.push((keys::alert(0), b"{}".to_vec()));
        entries.push((b"h/public/a\0x".to_vec(), vec![0; 9]));
        let kept = evidence::seal(&crate::alert::kept::Kept::default()).unwrap();
        entries.push((b"e/0000000000000001".to_vec(), kept));
        entries
    }

    fn store(entries: &[(Vec<u8>, Vec<u8>)]) -> MemoryStore {
        let store = MemoryStore::default();
        let mut batch = WriteBatch::default();
        entries.iter().for_each(|(key, value)| batch.put(key.clone(), value.clone()));
        store.write(batch).unwrap();
        store
    }

    fn counted(entries: &[(Vec<u8>, Vec<u8>)]) -> Found {
        let mut census = examine(&store(entries), Depth::Checksums).unwrap().census;
        census.writes = 7;
        Found::Census(Box::new(census))
    }

    fn judged(change: impl FnOnce(&mut Vec<(Vec<u8>, Vec<u8>)>)) -> Judgement {
        let mut changed = entries();
        change(&mut changed);
        let examined = examine(&store(&changed), Depth::Checksums).unwrap();
        judge(&examined, &counted(&entries()), Some(Mark { writes: 7, accounts: 20, alerts: 1 }))
    }

    #[test]
    fn what_is_as_it_was_written_is_sound() {
        assert!(judged(|_| {}).is_sound());
    }

    #[test]
    fn a_damaged_account_is_named_and_nothing_else() {
        for at in [0, 5, 8, 12, 17] {
            let judgement = judged(|entries| entries[3].1[at] ^= 1);
            assert_eq!(judgement.whole, None);
            assert_eq!(judgement.accounts.len(), 1, "{at}");
            assert_eq!(judgement.accounts[0].key, b"a/public/a03");
        }
    }

    #[test]
    fn what_a_newer_build_wrote_is_told_from_a_flipped_bit() {
        for at in [3, 20] {
            let mut entries = entries();
            entries[at].1 = envelope::seal_as(7, b"later");
            let examined = examine(&store(&entries), Depth::Checksums).unwrap();
            let judgement = judge(&examined, &counted(&entries), None);
            let newer = judgement.newer.expect("named");
            assert_eq!(newer.key, entries[at].0);
            assert_eq!(newer.cause, EnvelopeError::FutureVersion { found: 7, newest: 1 });
            let flipped = judged(|entries| entries[at].1[4] ^= 6);
            assert_eq!(flipped.newer, None);
            assert!(!flipped.is_sound());
        }
        let census = Found::Damaged(EnvelopeError::FutureVersion { found: 2, newest: 1 });
        assert!(judge(&Examined::default(), &census, None).newer.is_some());
    }

    #[test]
    fn what_is_missing_old_or_of_the_run_condemns_the_whole() {
        for (change, words) in [
            (
                Box::new(|e: &mut Vec<(Vec<u8>, Vec<u8>)>| drop(e.remove(4)))
                    as Box<dyn FnOnce(&mut Vec<(Vec<u8>, Vec<u8>)>)>,
                "19 account records of 20",
            ),
            (Box::new(|e| e[4].1 = sealed("model -4")), "different age"),
            (Box::new(|e| e[20].1 = sealed("an older desk")), "of the run"),
            (Box::new(|e| e[20].1[16] ^= 1), "`d/desk`: its checksum"),
            (Box::new(|e| drop(e.remove(21))), "of the run"),
        ] {
            let judgement = judged(change);
            assert!(judgement.whole.as_ref().is_some_and(|w| w.contains(words)), "{judgement:?}");
        }
    }

    #[test]
    fn lost_lines_and_hours_are_said_and_condemn_nothing() {
        let judgement = judged(|e| drop(e.drain(22..)));
        assert_eq!(judgement.whole, None);
        assert_eq!(judgement.incomplete.len(), 3);
        assert!(!judgement.is_sound());
    }

    #[test]
    fn damaged_records_of_an_alert_condemn_nothing_and_are_no_account() {
        for at in [0, 12, 16] {
            let judgement = judged(|entries| entries[24].1[at] ^= 1);
            assert_eq!((&judgement.whole, judgement.accounts.len()), (&None, 0));
            assert_eq!(judgement.evidence.len(), 1, "{at}");
            assert!(judgement.incomplete.is_empty() && !judgement.is_sound());
        }
    }

    #[test]
    fn an_empty_or_an_earlier_store_is_not_taken_for_a_new_one() {
        let mark = Some(Mark { writes: 9, accounts: 20, alerts: 1 });
        let nothing = Examined::default();
        assert!(judge(&nothing, &Found::Nothing, None).is_sound());
        assert!(judge(&nothing, &Found::Nothing, mark).whole.is_some());
        let examined = examine(&store(&entries()), Depth::Checksums).unwrap();
        assert!(judge(&examined, &Found::NoCensus, mark).whole.is_some());
        assert!(judge(&examined, &Found::NoCensus, None).uncounted);
        assert!(judge(&examined, &Found::Damaged(EnvelopeError::Checksum), mark).whole.is_some());
        assert_eq!(judge(&examined, &counted(&entries()), mark).behind, Some((7, 9)));
    }
}
