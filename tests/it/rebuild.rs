//! One account's model built again: with nothing left out it is the one that was there, to the byte;
//! with something left out it is the one that would be there if that had never come.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cosmoguard::account::left_out::{Part, Why};
use cosmoguard::baseline::prior::Priors;
use cosmoguard::event::{Decoded, Decoder, Event};
use cosmoguard::ids::{AccountId, PrincipalId};
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::RunOptions;
use cosmoguard::replay::rebuild::{Base, Order, Present, Rebuilt, rebuild};
use cosmoguard::snapshot::{self, About, Archive};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::schema::account;
use cosmoguard::store::{StateStore, WriteBatch, keys};
use cosmoguard::time::{DAY_MS, MINUTE_MS, Timestamp};

use crate::splits::world::{End, World};

mod commands;

/// The allowed lateness of the default profile.
const LATENESS_MS: i64 = 15 * MINUTE_MS;

/// A world that was run to its end, with a snapshot from the middle.
struct Past {
    world: World,
    store: Arc<dyn StateStore>,
    snapshot: std::path::PathBuf,
    _dir: tempfile::TempDir,
}

impl Past {
    fn of(world: World, parts: &[usize]) -> Past {
        let dir = tempfile::tempdir().unwrap();
        let (alerts, snapshot) = (dir.path().join("alerts"), dir.path().join("x.cgsnap"));
        let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
        for (n, count) in parts.iter().enumerate() {
            let end = End::InputEnds;
            world.play(&alerts, Arc::clone(&store), *count, end, 700, RunOptions::default());
            if n == 0 {
                let about = About {
                    created: Timestamp(0),
                    program_version: String::new(),
                    config_sha256: String::new(),
                    intel: Vec::new(),
                };
                snapshot::create(store.as_ref(), &snapshot, &about, &mut |_| ()).unwrap();
            }
        }
        Past { world, store, snapshot, _dir: dir }
    }

    fn base(&self, account: &AccountId) -> Base {
        Base::of(&mut Archive::open(&self.snapshot).unwrap(), account, LATENESS_MS).unwrap()
    }

    fn accounts(&self) -> Vec<AccountId> {
        Archive::open(&self.snapshot).unwrap().accounts()
    }

    fn present(&self, account: &AccountId) -> Present {
        Present::load(self.store.as_ref(), account, LATENESS_MS).unwrap()
    }

    /// Builds the model from `base`, with the first `count` records as logs.
    fn rebuild(
        &self,
        id: &AccountId,
        base: Base,
        part: Option<Part>,
        logs: Option<usize>,
    ) -> Rebuilt {
        let order = Order {
            account: id.clone(),
            context: self.world.context(),
            base,
            leave_out: part,
            logs: logs.map(|count| self.world.logs(count, 300)),
            threads: 2,
            not_after: Timestamp::MAX,
        };
        rebuild(order, self.present(id), &mut |_, _, _| ()).unwrap()
    }

    fn everything(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut take = |key: &[u8], value: &[u8]| {
            all.insert(key.to_vec(), value.to_vec());
            true
        };
        self.store.scan(b"", &mut take).unwrap();
        all
    }
}

/// Read file by file, in two runs, with the snapshot after two thirds of the first.
static PAST: LazyLock<Past> = LazyLock::new(|| {
    let world = World::of_fleet(false);
    let parts = [world.share(30_000), world.share(50_000), world.len()];
    Past::of(world, &parts)
});

fn span(from: Timestamp, until: Timestamp) -> Part {
    Part { from, until, principal: None, why: Why::Forgotten }
}

fn by(principal: &str) -> Part {
    let principal = Some(PrincipalId::new(principal));
    Part { from: Timestamp::MIN, until: Timestamp::MAX, principal, why: Why::Forgotten }
}

fn event(bytes: &[u8]) -> Option<Event> {
    match Decoder::new().decode(bytes) {
        Ok(Decoded::Event(event)) => Some(event),
        _ => None,
    }
}

fn is_same(rebuilt: &Rebuilt) {
    let before = rebuilt.before.as_ref().unwrap();
    assert_eq!((rebuilt.missing, rebuilt.left_out_now), (0, 0));
    assert!(rebuilt.is_same(), "{:#?}\n{:#?}", before.state(), rebuilt.model.state());
    assert!(account::seal(before).unwrap() == account::seal(&rebuilt.model).unwrap());
}

#[test]
fn with_nothing_left_out_it_is_the_same_model_to_the_byte() {
    let by_hour = World::of_fleet(true);
    let count = by_hour.len();
    let pasts = [&*PAST, &Past::of(by_hour, &[count / 3, count])];
    for past in pasts {
        let last = Some(past.world.len());
        for id in past.accounts() {
            let rebuilt = past.rebuild(&id, past.base(&id), None, last);
            assert!(rebuilt.fed > 50, "{} records", rebuilt.fed);
            is_same(&rebuilt);
            let empty = || Base::empty(LATENESS_MS).unwrap();
            let whole = past.rebuild(&id, empty(), Some(by("nobody")), last);
            assert_eq!(whole.fed, whole.model.state().records);
            is_same(&whole);
            let moment = past.present(&id).newest();
            is_same(&past.rebuild(&id, empty(), Some(span(moment.plus_ms(1), moment)), last));
            // Put in place, it leaves everything else as it was as well.
            let mut before = past.everything();
            rebuilt.save(past.store.as_ref()).unwrap();
            before.remove(&keys::due());
            assert!(past.everything() == before, "{id}");
        }
    }
}

#[test]
fn it_is_the_model_of_a_run_that_was_never_given_the_span() {
    let world = World::of_fleet(false);
    let count = world.len();
    let past = Past::of(world, &[count / 2, count]);
    for id in past.accounts() {
        let newest = past.present(&id).newest();
        let part = span(newest.plus_ms(-3 * DAY_MS), newest.plus_ms(-2 * DAY_MS));
        let outside = |bytes: &[u8]| {
            event(bytes).is_none_or(|e| e.account.as_ref() != Some(&id) || !part.covers(&e))
        };
        let never = past.world.only(outside);
        let (left, kept) = (past.world.len() - never.len(), never.len());
        let never = Past::of(never, &[kept / 2, kept]);
        // What the population had published by then is not undone; given the same, all is equal.
        let lent = Past {
            store: Arc::new(MemoryStore::default()),
            ..Past::of(World::of_fleet(false), &[1])
        };
        let mut batch = WriteBatch::default();
        for (key, value) in past.everything() {
            if !key.starts_with(keys::PRIORS) && !key.starts_with(keys::DIRECTORY) {
                batch.put(key, value);
            }
        }
        for (key, value) in never.everything() {
            if key.starts_with(keys::PRIORS) || key.starts_with(keys::DIRECTORY) {
                batch.put(key, value);
            }
        }
        lent.store.write(batch).unwrap();
        let base = Base::empty(LATENESS_MS).unwrap();
        let rebuilt = lent.rebuild(&id, base, Some(part), Some(lent.world.len()));
        assert!(rebuilt.left_out_now > 0 && rebuilt.left_out_now <= left as u64);
        let before = rebuilt.before.as_ref().unwrap().state();
        assert_eq!(rebuilt.model.state().sequence, before.sequence, "the desk has seen them");
        let expected = never.present(&id).model.unwrap();
        // As they are stored: a histogram in use notes a larger maximum than one that was read.
        let stored = |m| format!("{:?}", account::open(&account::seal(m).unwrap()).unwrap());
        let [mut got, mut want] = [&rebuilt.model, &expected].map(stored);
        for text in [&mut got, &mut want] {
            // The number of the last finding stays as it was.
            let at = text.find(" sequence: ").unwrap();
            let end = text[at + 1..].find(',').unwrap() + at + 1;
            text.replace_range(at..end, "");
        }
        assert!(got == want, "{id}");
    }
}

#[test]
fn a_principal_goes_wherever_it_acted() {
    let past = &*PAST;
    let last = Some(past.world.len());
    let mut forgotten = 0;
    for id in past.accounts() {
        let knows =
            |rebuilt: &Rebuilt, principal: &str| format!("{:?}", rebuilt.model).contains(principal);
        let empty = || Base::empty(LATENESS_MS).unwrap();
        let whole = past.rebuild(&id, empty(), None, last);
        let profile = Profile::default();
        let shown = whole.model.detail(&profile, &Priors::default()).key_principals;
        let principals: Vec<String> = shown.into_iter().map(|p| p.principal).collect();
        for principal in principals.iter().take(2) {
            assert!(knows(&whole, principal));
            let without = past.rebuild(&id, empty(), Some(by(principal)), last);
            assert!(!knows(&without, principal) && without.left_out_now > 0, "{id} {principal}");
            assert_eq!(without.fed + without.left_out, whole.fed);
            forgotten += 1;
        }
    }
    assert!(forgotten > 1);
}

#[test]
fn what_the_logs_lack_is_counted() {
    let past = &*PAST;
    for id in past.accounts() {
        let whole = past.rebuild(&id, past.base(&id), None, Some(past.world.len()));
        let cut = past.rebuild(&id, past.base(&id), None, Some(past.world.share(40_000)));
        assert!(
            cut.missing > 0 && cut.missing + cut.fed == whole.fed,
            "{} {}",
            cut.missing,
            cut.fed
        );
        assert!(whole.files_missing.is_empty());
    }
}

#[test]
fn what_was_left_out_stays_out_until_it_is_fed_again() {
    let world = World::of_fleet(false);
    let (count, middle) = (world.len(), world.len() / 2);
    let past = Past::of(world, &[middle, count]);
    let (id, last) = (past.accounts()[0].clone(), Some(count));
    let records = || past.present(&id).model.unwrap().state().records;
    let all = records();
    let newest = past.present(&id).newest();

    // Forgotten twice: the first stays forgotten, whether asked for again or not.
    let first = span(newest.plus_ms(-DAY_MS), newest);
    let one = past.rebuild(&id, past.base(&id), Some(first.clone()), last);
    one.save(past.store.as_ref()).unwrap();
    assert!(one.left_out_now > 0 && records() == all - one.left_out_now);
    let again = past.rebuild(&id, past.base(&id), Some(first), last);
    assert!(again.is_same() && again.left_out_now == 0 && again.left_out == one.left_out_now);
    let second = span(newest.plus_ms(-2 * DAY_MS), newest.plus_ms(-DAY_MS));
    let two = past.rebuild(&id, past.base(&id), Some(second), last);
    two.save(past.store.as_ref()).unwrap();
    assert_eq!((two.missing, records()), (0, all - one.left_out_now - two.left_out_now));

    // Reverted, everything since is out; forgetting something does not bring it back.
    let base = past.base(&id).newest();
    let reverted = past.rebuild(&id, past.base(&id), None, None);
    assert_eq!((reverted.unknown, reverted.fed), (Some((base, newest)), 0));
    reverted.save(past.store.as_ref()).unwrap();
    let kept = records();
    let early = span(newest.plus_ms(-8 * DAY_MS), newest.plus_ms(-7 * DAY_MS));
    let third = past.rebuild(&id, Base::empty(LATENESS_MS).unwrap(), Some(early), last);
    // Which records came since is told by event time, so what came late by then is known again.
    let back = third.model.state().records - (kept - third.left_out_now);
    assert!(third.missing == 0 && third.left_out_now > 0 && back < kept / 50, "{back} of {kept}");

    // Fed again it is back, but for what was forgotten.
    let fed = past.rebuild(&id, past.base(&id), None, last);
    fed.save(past.store.as_ref()).unwrap();
    assert_eq!(records(), all - one.left_out_now - two.left_out_now);
}

#[test]
fn a_snapshot_of_another_or_a_later_state_is_refused() {
    let world = World::of_fleet(false);
    let count = world.len();
    let (early, late) = (Past::of(world, &[count / 4]), &*PAST);
    let id = early.accounts()[0].clone();
    assert!(late.present(&id).follows(&early.base(&id)), "the same stream, earlier");
    let order = Order {
        account: id.clone(),
        context: early.world.context(),
        base: late.base(&id),
        leave_out: None,
        logs: None,
        threads: 1,
        not_after: Timestamp::MAX,
    };
    let refused = rebuild(order, early.present(&id), &mut |_, _, _| ()).unwrap_err();
    assert!(refused.to_string().contains("is no earlier state"), "{refused}");
}
