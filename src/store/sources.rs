//! The register of sources: every file that was ever read has a number, and how far it is applied.
//!
//! A file is recognised by the path below the folder that was given and by its first 64 KiB. It may
//! grow (the same path, and the bytes that it had are still its first), and it may be renamed or
//! copied (the same first bytes elsewhere). Numbers are given in the order in which files are met,
//! so they do not depend on the run.
use std::collections::HashMap;

use super::envelope::EnvelopeError;
use super::schema::sources::{SourceNameV1, SourceV1};
use super::{StateStore, StoreError, WriteBatch, codec, keys};

/// First bytes that identify a file; a shorter head is a file that was shorter.
pub const HEAD_BYTES: u32 = 64 << 10;
/// Stretches that may be passed over in one file.
const PASSED_MAX: usize = 4096;
/// Longest value of the register, bytes: a path, or [`PASSED_MAX`] stretches, and room.
const VALUE_BYTES_MAX: usize = 128 << 10;

/// Who a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileKey {
    /// Hash of the path below the folder that was given; 0 is standard input, 1 what is made up.
    pub path: u128,
    /// Bytes that were hashed, at most [`HEAD_BYTES`].
    pub head_len: u32,
    /// Their hash.
    pub head: u128,
}

impl FileKey {
    /// Standard input: never recognised.
    pub const STDIN: FileKey = FileKey { path: 0, head_len: 0, head: 0 };

    /// Records that are made up while they are read; `head` tells one such stream from another.
    pub const fn made(head: u128) -> FileKey {
        FileKey { path: 1, head_len: 0, head }
    }

    /// There is, or was, a file that can be read again.
    pub fn is_file(&self) -> bool {
        self.path > 1
    }
}

/// A file of the register.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    key: FileKey,
    /// First offset that is not applied yet.
    next: u64,
    /// Before it, what was passed over because it lay outside of the span that was asked for:
    /// begin and end, ascending.
    passed: Vec<(u64, u64)>,
    /// End of the last record that this run passed over.
    passed_now: u64,
    changed: bool,
}

impl Source {
    fn new(key: FileKey, next: u64, passed: Vec<(u64, u64)>) -> Source {
        Source { key, next, passed, passed_now: 0, changed: false }
    }

    /// The stretch passed over that `offset` lies in.
    fn stretch(&self, offset: u64) -> Option<usize> {
        let at = self.passed.partition_point(|(_, end)| *end <= offset);
        self.passed.get(at).filter(|(begin, _)| *begin <= offset).map(|_| at)
    }

    /// It may be what `then` became.
    fn follows(&self, then: &Source) -> bool {
        let (now, before) = (&self.key, &then.key);
        now.path == before.path
            && self.next >= then.next
            && (now.head_len > before.head_len
                || (now.head_len, now.head) == (before.head_len, before.head))
    }

    fn is_applied(&self, offset: u64) -> bool {
        self.key != FileKey::STDIN && offset < self.next && self.stretch(offset).is_none()
    }

    fn advance(&mut self, offset: u64) {
        if self.key == FileKey::STDIN {
            return;
        }
        if offset >= self.next {
            self.next = offset.saturating_add(1);
        } else if let Some(at) = self.stretch(offset) {
            // Records come in order: what lies before this one and was not passed over again is
            // applied.
            let (begin, end) = self.passed[at];
            let left = (begin, offset.min(self.passed_now));
            let right = (offset.saturating_add(1), end);
            let rest = [left, right].into_iter().filter(|(begin, end)| begin < end);
            self.passed.splice(at..=at, rest.collect::<Vec<_>>());
        }
        self.changed = true;
    }

    fn pass(&mut self, offset: u64) {
        let end = offset.saturating_add(1);
        if self.key == FileKey::STDIN {
            return;
        }
        self.passed_now = end;
        if offset < self.next {
            return;
        }
        let full = self.passed.len() >= PASSED_MAX;
        match self.passed.last_mut() {
            // Beyond the bound what lies between is applied twice rather than never.
            Some(last) if last.1 == self.next || full => last.1 = end,
            _ => self.passed.push((offset, end)),
        }
        self.next = end;
        self.changed = true;
    }
}

/// The register.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sources {
    sources: Vec<Source>,
    by_path: HashMap<u128, u32>,
    by_head: HashMap<(u32, u128), u32>,
    /// Number of each file of this run, by its index.
    of_run: Vec<Option<u32>>,
    /// Names of new ones, until they are saved.
    names: Vec<(u32, String)>,
}

impl Sources {
    /// Says who file `index` of this run is; `as_known` is the hash of as many first bytes as
    /// [`Sources::known_heads`] told, `name` where it lies. Returns its number.
    pub fn identify(
        &mut self,
        index: u32,
        key: FileKey,
        as_known: Option<(u32, u128)>,
        name: &str,
    ) -> u32 {
        let number = self.recognise(key, as_known).unwrap_or_else(|| {
            let number = self.sources.len() as u32;
            self.sources.push(Source { changed: true, ..Source::new(key, 0, Vec::new()) });
            self.names.push((number, name.to_owned()));
            number
        });
        self.by_path.insert(key.path, number);
        self.by_head.insert((key.head_len, key.head), number);
        let index = index as usize;
        if self.of_run.len() <= index {
            self.of_run.resize(index + 1, None);
        }
        self.of_run[index] = Some(number);
        number
    }

    fn recognise(&mut self, key: FileKey, as_known: Option<(u32, u128)>) -> Option<u32> {
        let at_path = self.by_path.get(&key.path).copied();
        if let Some(number) = at_path
            && let Some(known) = self.sources.get_mut(number as usize)
        {
            let grown = as_known == Some((known.key.head_len, known.key.head));
            if grown || (known.key.head_len, known.key.head) == (key.head_len, key.head) {
                known.changed |= grown;
                known.key = key;
                return Some(number);
            }
        }
        let copied = self.by_head.get(&(key.head_len, key.head)).copied();
        copied.filter(|_| key.head_len > 0)
    }

    /// Bytes that files shorter than [`HEAD_BYTES`] had, by path: what to hash if they are met
    /// again.
    pub fn known_heads(&self) -> HashMap<u128, u32> {
        let short = self.by_path.iter().filter_map(|(path, number)| {
            let head_len = self.sources.get(*number as usize)?.key.head_len;
            (0 < head_len && head_len < HEAD_BYTES).then_some((*path, head_len))
        });
        short.collect()
    }

    /// Something that is this was met before.
    pub fn knows(&self, key: &FileKey) -> bool {
        self.sources.iter().any(|source| source.key == *key)
    }

    /// Files of which nothing was passed over, and their first offset that is not applied.
    pub fn reached(&self) -> impl Iterator<Item = (FileKey, u64)> + '_ {
        self.sources.iter().filter(|s| s.passed.is_empty()).map(|s| (s.key, s.next))
    }

    /// The number of file `index` of this run.
    pub fn number(&self, index: u32) -> Option<u32> {
        self.of_run.get(index as usize).copied().flatten()
    }

    /// The record at `offset` of file `index` of this run is applied already. Standard input is
    /// always new.
    pub fn is_applied(&self, index: u32, offset: u64) -> bool {
        let known = self.number(index).and_then(|number| self.sources.get(number as usize));
        known.is_some_and(|s| s.is_applied(offset))
    }

    /// Notes the record at `offset` of file `index` of this run as applied.
    pub fn advance(&mut self, index: u32, offset: u64) {
        let number = self.number(index);
        if let Some(source) = number.and_then(|n| self.sources.get_mut(n as usize)) {
            source.advance(offset);
        }
    }

    /// Notes that what lies at `offset` of file `index` of this run, behind all that is applied, is
    /// none of ours.
    pub fn skip(&mut self, index: u32, offset: u64) {
        let number = self.number(index);
        let source = number.and_then(|n| self.sources.get_mut(n as usize));
        if let Some(source) = source.filter(|s| offset >= s.next) {
            source.advance(offset);
        }
    }

    /// Notes that the record at `offset` of file `index` of this run lies outside of the span that
    /// was asked for: a later run may ask for it.
    pub fn pass(&mut self, index: u32, offset: u64) {
        let number = self.number(index);
        if let Some(source) = number.and_then(|n| self.sources.get_mut(n as usize)) {
            source.pass(offset);
        }
    }

    /// The file that begins like this is applied up to the record at `offset`, and nothing before
    /// it was passed over.
    pub fn is_applied_through(&self, head_len: u32, head: u128, offset: u64) -> bool {
        let number = self.by_head.get(&(head_len, head));
        let known = number.and_then(|number| self.sources.get(*number as usize));
        known.is_some_and(|s| offset < s.next && s.passed.is_empty())
    }

    /// Who file `number` of the register is; `None` for an unknown number.
    pub fn identity(&self, number: u32) -> Option<FileKey> {
        self.sources.get(number as usize).map(|s| s.key)
    }

    /// This register with everything applied as far as it was in `earlier`; files are recognised as
    /// they are now. `None` if `earlier` is not an earlier state of this register.
    pub fn rewound_to(&self, earlier: &Sources) -> Option<Sources> {
        let mut pairs = earlier.sources.iter().zip(&self.sources);
        if earlier.len() > self.len() || !pairs.all(|(then, now)| now.follows(then)) {
            return None;
        }
        let mut rewound = Sources { of_run: Vec::new(), names: Vec::new(), ..self.clone() };
        for (number, source) in rewound.sources.iter_mut().enumerate() {
            let then = earlier.sources.get(number);
            source.next = then.map_or(0, |s| s.next);
            source.passed = then.map_or_else(Vec::new, |s| s.passed.clone());
        }
        Some(rewound)
    }

    /// Numbers of files that this run did not meet and of which more is applied here than in
    /// `earlier`. Standard input always is one: nobody can tell what came through it.
    pub fn unmet_since(&self, earlier: &Sources) -> Vec<u32> {
        let mut met = vec![false; self.sources.len()];
        for number in self.of_run.iter().flatten() {
            if let Some(met) = met.get_mut(*number as usize) {
                *met = true;
            }
        }
        let is_unmet = |number: usize, now: &Source| {
            let then = earlier.sources.get(number);
            let same =
                then.is_some_and(|then| (then.next, &then.passed) == (now.next, &now.passed));
            now.key == FileKey::STDIN || (!met[number] && !same && now.next > 0)
        };
        let numbered = self.sources.iter().enumerate();
        numbered.filter(|(n, now)| is_unmet(*n, now)).map(|(n, _)| n as u32).collect()
    }

    /// How far the file that another register calls `number` is applied here; 0 if it is unknown.
    pub fn applied_of(&self, number: u32) -> u64 {
        self.sources.get(number as usize).map_or(0, |s| s.next)
    }

    /// Files known.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// None is known.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Puts what changed since the last time into a checkpoint.
    ///
    /// # Errors
    /// A name is longer than any path can be.
    pub fn save(&mut self, batch: &mut WriteBatch) -> Result<(), StoreError> {
        let damaged = |key: &[u8], cause| StoreError::Damaged {
            key: String::from_utf8_lossy(key).into_owned(),
            cause,
        };
        for (number, source) in self.sources.iter_mut().enumerate().filter(|(_, s)| s.changed) {
            let key = keys::source(number as u32);
            let FileKey { path, head_len, head } = source.key;
            let passed = source.passed.clone();
            let value = SourceV1 { path, head_len, head, next: source.next, passed };
            let sealed =
                codec::encode(&value, VALUE_BYTES_MAX).map_err(|cause| damaged(&key, cause))?;
            batch.put(key, sealed);
            source.changed = false;
        }
        for (number, name) in self.names.drain(..) {
            let key = keys::source_name(number);
            let sealed = codec::encode(&SourceNameV1 { name }, VALUE_BYTES_MAX)
                .map_err(|cause| damaged(&key, cause))?;
            batch.put(key, sealed);
        }
        Ok(())
    }

    /// Reads the register.
    ///
    /// # Errors
    /// The store failed or holds damaged state.
    pub fn load(store: &dyn StateStore) -> Result<Sources, StoreError> {
        let mut register = Sources::default();
        let mut failed = None;
        store.scan(keys::SOURCE, &mut |key, bytes| {
            let missing = key != keys::source(register.sources.len() as u32);
            match codec::decode::<SourceV1>(bytes, VALUE_BYTES_MAX) {
                Ok(_) if missing => {
                    let key = format!("o/{}", register.sources.len());
                    let cause = EnvelopeError::Payload("it is missing".to_owned());
                    failed = Some(StoreError::Damaged { key, cause });
                }
                Ok(v) => register.restore(v),
                Err(cause) => {
                    let key = format!("o/{}", register.sources.len());
                    failed = Some(StoreError::Damaged { key, cause });
                }
            }
            failed.is_none()
        })?;
        failed.map_or(Ok(register), Err)
    }

    fn restore(&mut self, v: SourceV1) {
        let key = FileKey { path: v.path, head_len: v.head_len, head: v.head };
        let number = self.sources.len() as u32;
        self.by_path.insert(key.path, number);
        self.by_head.insert((key.head_len, key.head), number);
        self.sources.push(Source::new(key, v.next, v.passed));
    }

    /// Where the file with this number lay when it was first met.
    ///
    /// # Errors
    /// The store failed or the value is damaged.
    pub fn name(store: &dyn StateStore, number: u32) -> Result<Option<String>, StoreError> {
        let key = keys::source_name(number);
        let Some(bytes) = store.get(&key)? else { return Ok(None) };
        match codec::decode::<SourceNameV1>(&bytes, VALUE_BYTES_MAX) {
            Ok(v) => Ok(Some(v.name)),
            Err(cause) => Err(StoreError::Damaged { key: format!("n/{number}"), cause }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    fn key(path: u128, head_len: u32, head: u128) -> FileKey {
        FileKey { path, head_len, head }
    }

    fn reopened(register: &mut Sources) -> Sources {
        reopened_from(&MemoryStore::default(), register)
    }

    fn reopened_from(store: &MemoryStore, register: &mut Sources) -> Sources {
        let mut batch = WriteBatch::default();
        register.save(&mut batch).unwrap();
        store.write(batch).unwrap();
        Sources::load(store).unwrap()
    }

    #[test]
    fn what_an_earlier_run_applied_is_recognised_by_file_and_offset() {
        let mut first = Sources::default();
        assert_eq!(first.identify(0, key(7, HEAD_BYTES, 1), None, "a.json"), 0);
        assert!(!first.is_applied(0, 0));
        first.advance(0, 0);
        first.advance(0, 100);
        let mut second = reopened(&mut first);
        assert_eq!(second.identify(3, key(7, HEAD_BYTES, 1), None, "a.json"), 0);
        assert!(second.is_applied(3, 0) && second.is_applied(3, 100));
        assert!(!second.is_applied(3, 101));
        assert!(!second.is_applied(9, 0), "a file without identity is new");
    }

    proptest::proptest! {
        /// Runs over any spans, one after the other, apply each record once.
        #[test]
        fn what_was_passed_over_is_applied_by_a_later_run(
            lens in proptest::collection::vec(1u64..9, 1..40),
            runs in proptest::collection::vec(proptest::collection::vec(proptest::bool::ANY, 40), 0..5),
        ) {
            let (store, mut register) = (MemoryStore::default(), Sources::default());
            let mut applied = vec![0; lens.len()];
            let last = vec![true; 40];
            for wanted in runs.iter().chain([&last]) {
                register = reopened_from(&store, &mut register);
                register.identify(0, key(7, HEAD_BYTES, 1), None, "a.json");
                let mut offset = 3;
                for (n, len) in lens.iter().enumerate() {
                    match (wanted[n], register.is_applied(0, offset)) {
                        (false, _) => register.pass(0, offset),
                        (true, true) => {}
                        (true, false) => {
                            applied[n] += 1;
                            register.advance(0, offset);
                        }
                    }
                    offset += len;
                }
            }
            proptest::prop_assert!(applied.iter().all(|n| *n == 1), "{:?}", applied);
        }
    }

    #[test]
    fn a_short_file_that_grows_goes_on() {
        let mut first = Sources::default();
        first.identify(0, key(7, 100, 11), None, "a.json");
        first.advance(0, 50);
        let mut second = reopened(&mut first);
        assert_eq!(second.known_heads(), HashMap::from([(7, 100)]));
        assert_eq!(second.identify(0, key(7, 300, 12), Some((100, 11)), "a.json"), 0);
        assert!(second.is_applied(0, 50) && !second.is_applied(0, 120));
        let third = reopened(&mut second);
        assert_eq!((third.len(), third.known_heads()), (1, HashMap::from([(7, 300)])));
        // Other bytes under the same name: another file.
        let mut second = first.clone();
        assert_eq!(second.identify(0, key(7, 300, 13), Some((100, 99)), "a.json"), 1);
        assert!(!second.is_applied(0, 50));
    }

    #[test]
    fn a_renamed_copy_is_recognised_and_standard_input_never() {
        let mut register = Sources::default();
        register.identify(0, key(7, 100, 11), None, "a.json");
        register.advance(0, 50);
        assert_eq!(register.identify(1, key(8, 100, 11), None, "copy.json"), 0);
        assert!(register.is_applied(1, 50));
        for index in [5, 6] {
            register.identify(index, FileKey::STDIN, None, "-");
            assert!(!register.is_applied(index, 0));
            register.advance(index, 9);
            assert!(!register.is_applied(index, 0));
        }
        assert_eq!(register.len(), 2, "all of standard input is one source");
    }
}
