//! Which runs taught this state: what was asked for, by which build, with which settings and lists.
//! A run that asks for the same as the one before it is not noted again.
use serde::{Deserialize, Serialize};

use super::envelope::EnvelopeError;
use super::{StateStore, StoreError, WriteBatch, codec, keys};
use crate::time::Timestamp;

/// Runs kept; the oldest give way, and the numbers of the rest tell how many there were.
pub const RUNS_MAX: usize = 64;
/// Longest value: the settings take some tens of KB, the rest is paths.
const RUN_BYTES_MAX: usize = 1 << 20;

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// When it began, by the wall clock.
    pub started: Timestamp,
    /// Version of the program.
    pub version: String,
    /// What was asked for, without the program's name.
    pub command: Vec<String>,
    /// The folder in which it ran.
    pub folder: String,
    /// The settings in effect, as TOML.
    pub config: String,
    /// Lists and databases: name and SHA-256.
    pub lists: Vec<(String, String)>,
}

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
struct RunV1 {
    started: i64,
    version: String,
    command: Vec<String>,
    folder: String,
    config: String,
    lists: Vec<(String, String)>,
}

/// Notes a run and makes it durable.
///
/// # Errors
/// The store failed or holds damaged state.
pub fn note(store: &dyn StateStore, run: &Run) -> Result<(), StoreError> {
    let known = all(store)?;
    let last = known.last();
    if last.is_some_and(|(_, last)| Run { started: run.started, ..last.clone() } == *run) {
        return Ok(());
    }
    let number = last.map_or(1, |(number, _)| number.saturating_add(1));
    let key = keys::run_log(number);
    let Run { started, version, command, folder, config, lists } = run.clone();
    let stored = RunV1 { started: started.millis(), version, command, folder, config, lists };
    let sealed = codec::encode(&stored, RUN_BYTES_MAX).map_err(|cause| damaged(number, cause))?;
    let mut batch = WriteBatch::default();
    for (number, _) in known.iter().rev().skip(RUNS_MAX - 1) {
        batch.delete(keys::run_log(*number));
    }
    batch.put(key, sealed);
    store.write(batch)?;
    store.flush()
}

fn damaged(number: u64, cause: EnvelopeError) -> StoreError {
    StoreError::Damaged { key: format!("r/{number}"), cause }
}

/// The runs that are kept, by number, the first run being number 1.
///
/// # Errors
/// The store failed or holds damaged state.
pub fn all(store: &dyn StateStore) -> Result<Vec<(u64, Run)>, StoreError> {
    let mut runs = Vec::new();
    let mut failed = None;
    store.scan(keys::RUN_LOG, &mut |key, sealed| {
        let number = key[keys::RUN_LOG.len()..].try_into().map_or(0, u64::from_be_bytes);
        match codec::decode::<RunV1>(sealed, RUN_BYTES_MAX) {
            Ok(RunV1 { started, version, command, folder, config, lists }) => {
                let started = Timestamp(started);
                runs.push((number, Run { started, version, command, folder, config, lists }));
            }
            Err(cause) => failed = Some(damaged(number, cause)),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(runs), Err)
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    fn run(started: i64, command: &str) -> Run {
        Run {
            started: Timestamp(started),
            version: "0.1.0".to_owned(),
            command: vec!["replay".to_owned(), command.to_owned()],
            ..Run::default()
        }
    }

    #[test]
    fn the_same_again_is_not_noted_and_the_oldest_give_way() {
        let store = MemoryStore::default();
        note(&store, &run(1, "a")).unwrap();
        note(&store, &run(2, "a")).unwrap();
        note(&store, &run(3, "b")).unwrap();
        assert_eq!(all(&store).unwrap(), [(1, run(1, "a")), (2, run(3, "b"))]);
        for n in 0..100 {
            note(&store, &run(n, &n.to_string())).unwrap();
        }
        let kept = all(&store).unwrap();
        assert_eq!(kept.len(), RUNS_MAX);
        assert_eq!(kept.last(), Some(&(102, run(99, "99"))));
        assert_eq!(kept[0].0, 39, "the numbers tell that there were others");
    }
}
