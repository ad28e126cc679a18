//! State of whole fleets on the disk: checkpoints, snapshots, reopening, compaction. No criterion: each
//! step is a process of its own, so that its peak memory is its own and sled begins afresh.
//!
//! Models and rings are those of a simulated fleet after 30 days, given to as many accounts as are
//! asked for: `cargo bench --bench state -- 1000 10000` (without numbers 1,000, 10,000 and 100,000;
//! `--quick`: 200). 100,000 accounts take 20 GB in `TMPDIR` and some minutes.
//!
//! Budgets: checkpoints and restores at least 70 % of the rate at which sled alone takes the same
//! bytes in the same batches, measured beside them; 20,000 accounts a second into a snapshot, in
//! memory that does not grow with the fleet; a store of 1 GB open in 2 s, verified; after compaction
//! at most twice the live bytes on the disk.
#![allow(missing_docs, clippy::expect_used)] // a bench may stop on any failure
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // it prints and looks at the clock
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use cosmoguard::account::message::{Context, Published};
use cosmoguard::ids::{AccountId, Cloud};
use cosmoguard::intel::view::IntelView;
use cosmoguard::profile::Profile;
use cosmoguard::replay::engine::{Observer, RunOptions};
use cosmoguard::replay::pipeline::Piece;
use cosmoguard::replay::session::{self, Job};
use cosmoguard::replay::summary::Counts;
use cosmoguard::replay::writer::AlertWriter;
use cosmoguard::simulate::{self, FleetOptions};
use cosmoguard::snapshot::{self, About, Archive};
use cosmoguard::source::{Chunk, Progress, RawRecord, RefusedRecord};
use cosmoguard::store::ladder::{self, NoSnapshots};
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::schema::account;
use cosmoguard::store::sled_store::SledStore;
use cosmoguard::store::{StateStore, WriteBatch, compact, envelope, keys, swap};
use cosmoguard::time::{SystemClock, Timestamp};
use memchr::memmem;

/// Accounts of the simulated fleet.
const TEMPLATES: usize = 24;
/// Accounts in one batch: some 6 MB.
const BATCH: usize = 256;
/// Times that a fleet is written over.
const REWRITES: usize = 2;
/// Times that checkpoints and sled alone take turns, up to 10,000 accounts; the best counts.
const ROUNDS: usize = 3;
/// Digits that take the place of a name's end.
const DIGITS: usize = 7;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

struct Silent;

impl Observer for Silent {
    fn progress(&mut self, _: &Counts, _: &Progress, _: Timestamp) {}
    fn refused(&mut self, _: &str, _: &RefusedRecord) {}
    fn warning(&mut self, _: &str) {}
    fn stop(&self) -> bool {
        false
    }
}

/// Runs the simulated fleet and keeps what it leaves in a snapshot.
fn simulated(out: &Path) {
    let fleet = simulate::plan(FleetOptions {
        seed: 7,
        accounts: TEMPLATES,
        days: 30,
        rate: 100.0,
        ..FleetOptions::default()
    });
    let store: Arc<dyn StateStore> = Arc::new(MemoryStore::default());
    let job = Job {
        producer: Box::new(move |deliver| {
            let (mut chunk, mut offset) = (Chunk::default(), 0);
            for (_, record) in simulate::records(&fleet) {
                let (start, len) = (chunk.bytes.len() as u32, record.len() as u32);
                chunk.bytes.extend_from_slice(&record);
                chunk.records.push(RawRecord { start, len, file: 0, offset });
                offset += u64::from(len) + 1;
                if chunk.records.len() >= cosmoguard::limits::CHUNK_RECORDS {
                    deliver(Piece { chunk: std::mem::take(&mut chunk), ..Piece::default() });
                }
            }
            deliver(Piece { chunk, ..Piece::default() });
            Ok(())
        }),
        context: Context {
            profile: Arc::new(Profile::default()),
            intel: Arc::new(IntelView::empty()),
            published: Published::default(),
        },
        store: Arc::clone(&store),
        options: RunOptions::default(),
        clock: Arc::new(SystemClock::default()),
    };
    session::run(job, &mut AlertWriter::nowhere(), &mut Silent).expect("the run ends well");
    snapshot::create(store.as_ref(), out, &about(), &mut |_| ()).expect("a snapshot");
}

fn about() -> About {
    About {
        created: Timestamp(0),
        program_version: "bench".to_owned(),
        config_sha256: String::new(),
        intel: Vec::new(),
    }
}

/// What one simulated account left.
struct Template {
    name: String,
    payload: Vec<u8>,
    rings: Vec<(i64, Vec<u8>)>,
}

impl Template {
    /// The same for account `n`, whose name is as long.
    fn entries(&self, n: usize) -> Entries {
        let name = format!("{}{n:0DIGITS$}", &self.name[..self.name.len() - DIGITS]);
        let mut payload = self.payload.clone();
        for at in memmem::find_iter(&self.payload, &self.name) {
            payload[at..at + name.len()].copy_from_slice(name.as_bytes());
        }
        let id = AccountId::new(&name, Cloud::Public);
        let mut entries = vec![(keys::account(&id), envelope::seal(&payload))];
        entries.extend(self.rings.iter().map(|(day, ring)| (keys::ring(&id, *day), ring.clone())));
        entries
    }
}

/// What is stored of accounts, batch by batch; the run's own state comes with the first.
struct Templates {
    all: Vec<Template>,
    run: Entries,
}

impl Templates {
    fn read(path: &Path) -> Templates {
        let mut archive = Archive::open(path).expect("it was made");
        let run = MemoryStore::default();
        archive.load_run(&run).expect("it was made");
        let mut entries = Vec::new();
        let mut take = |key: &[u8], value: &[u8]| {
            // That of these accounts, which are not there.
            if key != keys::due() {
                entries.push((key.to_vec(), value.to_vec()));
            }
            true
        };
        run.scan(b"", &mut take).expect("memory");
        let template = |id: &AccountId| {
            let sealed = archive.account(id).expect("read").expect("it is listed");
            let rings = archive.rings(id).expect("read").into_iter();
            let day = |key: &[u8]| i64::from_be_bytes(*key.last_chunk().expect("eight bytes"));
            Template {
                name: id.name().to_owned(),
                payload: envelope::open(&sealed, account::CHECKPOINT_BYTES_MAX)
                    .expect("it was sealed")
                    .1
                    .into_owned(),
                rings: rings.map(|(key, ring)| (day(&key), ring)).collect(),
            }
        };
        let ids = Archive::open(path).expect("it was made").accounts();
        let all: Vec<Template> = ids.iter().map(template).collect();
        let (key, sealed) = all[0].entries(3).swap_remove(0);
        let model = account::open(&sealed).expect("renamed, it opens");
        assert_eq!(keys::account(model.id()), key);
        Templates { all, run: entries }
    }

    /// Gives `accounts` accounts in the order of their keys.
    fn each_batch(&self, accounts: usize, give: &mut dyn FnMut(Entries)) {
        let (mut batch, mut count) = (self.run.clone(), 0);
        for (t, template) in self.all.iter().enumerate() {
            for n in (t..accounts).step_by(self.all.len()) {
                batch.extend(template.entries(n));
                count += 1;
                if count % BATCH == 0 {
                    give(std::mem::take(&mut batch));
                }
            }
        }
        give(batch);
    }
}

/// Seconds that `work` takes.
fn timed<T>(seconds: &mut f64, work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let done = work();
    *seconds += began.elapsed().as_secs_f64();
    done
}

/// sled alone, with the cache that its bound should give.
fn sled_alone(dir: &Path, accounts: usize, templates: &Templates) -> [f64; 2] {
    let config = sled::Config::default()
        .path(dir)
        .cache_capacity(32 << 20)
        .flush_every_ms(None)
        .mode(sled::Mode::LowSpace);
    let db = config.open().expect("sled opens");
    let mut seconds = [0.0; 2];
    for pass in 0..=REWRITES {
        let seconds = &mut seconds[pass.min(1)];
        templates.each_batch(accounts, &mut |entries| {
            timed(seconds, || {
                let mut batch = sled::Batch::default();
                entries.into_iter().for_each(|(key, value)| batch.insert(key, value));
                db.apply_batch(batch).expect("sled writes");
            });
        });
        timed(seconds, || db.flush()).expect("sled flushes");
    }
    [seconds[0], seconds[1] / REWRITES as f64]
}

/// The same through the store.
fn checkpoints(dir: &Path, accounts: usize, templates: &Templates) -> [f64; 2] {
    let store = SledStore::open(&swap::state(dir)).expect("the store opens");
    let mut seconds = [0.0; 2];
    for pass in 0..=REWRITES {
        let seconds = &mut seconds[pass.min(1)];
        templates.each_batch(accounts, &mut |entries| {
            timed(seconds, || {
                let mut batch = WriteBatch::default();
                entries.into_iter().for_each(|(key, value)| batch.put(key, value));
                store.write(batch).expect("the store writes");
            });
        });
        timed(seconds, || store.flush()).expect("the store flushes");
    }
    [seconds[0], seconds[1] / REWRITES as f64]
}

fn opened(dir: &Path) -> ladder::Opened {
    let opened = ladder::open(dir, &mut NoSnapshots, Timestamp(0)).expect("it opens");
    assert_eq!(opened.recovery, None);
    opened
}

/// One step in a process of its own; what it measured.
fn step(name: &str, dir: &Path, accounts: usize) -> Vec<f64> {
    let templates = || Templates::read(&dir.join("templates.cgsnap"));
    let (data, file) = (dir.join("d"), dir.join("fleet.cgsnap"));
    let mut seconds = 0.0;
    match name {
        "templates" => {
            simulated(&dir.join("templates.cgsnap"));
            vec![]
        }
        "sled" => sled_alone(&dir.join("sled"), accounts, &templates()).to_vec(),
        "checkpoints" => checkpoints(&data, accounts, &templates()).to_vec(),
        "engine" => {
            drop(timed(&mut seconds, || SledStore::open(&swap::state(&data))).expect("it opens"));
            vec![seconds]
        }
        "open" => {
            let opened = timed(&mut seconds, || opened(&data));
            let disk = swap::disk_bytes(&swap::state(&data)).expect("it is there");
            vec![seconds, opened.store.census().bytes() as f64, disk as f64]
        }
        "compact" => {
            let opened = opened(&data);
            let done = timed(&mut seconds, || compact::close(&data, opened)).expect("it compacts");
            vec![seconds, f64::from(done.is_some())]
        }
        "create" => {
            let store = SledStore::open(&swap::state(&data)).expect("it opens");
            let create = || snapshot::create(&store, &file, &about(), &mut |_| ());
            let made = timed(&mut seconds, create).expect("a snapshot");
            assert_eq!(made.accounts, accounts as u64);
            vec![seconds, file.metadata().expect("it is there").len() as f64]
        }
        "verify" => {
            timed(&mut seconds, || snapshot::verify(&file)).expect("it is whole");
            vec![seconds]
        }
        "restore" => {
            let to = dir.join("restored");
            timed(&mut seconds, || snapshot::restore(&file, &to, false, &mut |_| ()))
                .expect("it restores");
            vec![seconds]
        }
        other => panic!("there is no step {other}"),
    }
}

/// Peak resident memory of this process, bytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.map_or(f64::NAN, |kib| kib * 1024.0)
}

/// Runs a step as a child: what it measured, and its peak memory in bytes.
fn child(name: &str, dir: &Path, accounts: usize) -> (Vec<f64>, f64) {
    let program = std::env::current_exe().expect("a bench is a file");
    let out = Command::new(program)
        .args(["step", name])
        .arg(dir)
        .arg(accounts.to_string())
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("it starts");
    assert!(out.status.success(), "{name} failed");
    let text = String::from_utf8(out.stdout).expect("numbers");
    let mut numbers: Vec<f64> =
        text.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    let peak = numbers.pop().expect("the peak");
    (numbers, peak)
}

fn line(what: &str, seconds: f64, accounts: usize, bytes: f64, peak: f64, more: &str) {
    println!(
        "  {what:<22}{seconds:>8.2} s {:>9.0} accounts/s {:>6.0} MB/s, peak {:>5.0} MB{more}",
        accounts as f64 / seconds,
        bytes / seconds / 1e6,
        peak / 1e6
    );
}

/// Sled alone and the store by turns: the best seconds of each, and the peaks.
fn written(accounts: usize, dir: &Path) -> [([f64; 2], f64); 2] {
    let mut best = [([f64::INFINITY; 2], 0.0); 2];
    for _ in 0..if accounts > 10_000 { 1 } else { ROUNDS } {
        for (best, (name, folder)) in best.iter_mut().zip([("sled", "sled"), ("checkpoints", "d")])
        {
            // Of an earlier round.
            let _ = std::fs::remove_dir_all(dir.join(folder));
            let (seconds, peak) = child(name, dir, accounts);
            best.0.iter_mut().zip(seconds).for_each(|(best, s)| *best = best.min(s));
            best.1 = peak;
        }
    }
    best
}

fn fleet(accounts: usize, dir: &Path) {
    let run = |name| child(name, dir, accounts);
    let [(sled, sled_peak), (ours, ours_peak)] = written(accounts, dir);
    let (grown, _) = run("open");
    let live = grown[1];
    println!(
        "{accounts} accounts, {:.3} GB live, {:.1} kB each",
        live / 1e9,
        live / 1e3 / accounts as f64
    );
    let show = |what, seconds, peak, more: String| line(what, seconds, accounts, live, peak, &more);
    let share = |of: f64, seconds: f64| format!(", {:.0} % of sled alone", 100.0 * of / seconds);
    show("sled alone, new", sled[0], sled_peak, String::new());
    show("checkpoint, new", ours[0], ours_peak, share(sled[0], ours[0]));
    show("sled alone, again", sled[1], sled_peak, String::new());
    show("checkpoint, again", ours[1], ours_peak, share(sled[1], ours[1]));
    let (compacted, peak) = run("compact");
    show("compaction", compacted[0], peak, String::new());
    let (small, peak) = run("open");
    println!(
        "  disk/live {:.2} before, {:.2} after compaction (done: {})",
        grown[2] / live,
        small[2] / live,
        compacted[1] > 0.0
    );
    let (engine, _) = run("engine");
    let each = |s: f64| format!(", {:.2} s a GB", s / (live / 1e9));
    show("open, not compacted", grown[0], peak, each(grown[0]));
    show("open, compacted", small[0], peak, each(small[0]));
    println!("  of which the engine   {:>8.2} s", engine[0]);
    let (created, peak) = run("create");
    show("snapshot create", created[0], peak, format!(", file {:.0} MB", created[1] / 1e6));
    let (verified, peak) = run("verify");
    show("snapshot verify", verified[0], peak, String::new());
    let (restored, peak) = run("restore");
    let load = restored[0] - verified[0];
    let more =
        format!("{}, without verifying{}", share(sled[0], restored[0]), share(sled[0], load));
    show("snapshot restore", restored[0], peak, more);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [step_word, name, dir, accounts] = args.as_slice()
        && step_word == "step"
    {
        let accounts = accounts.parse().expect("a number");
        step(name, &PathBuf::from(dir), accounts).iter().for_each(|n| print!("{n} "));
        println!("{}", peak());
        return;
    }
    let asked: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    let sizes = match asked.as_slice() {
        [] if args.iter().any(|arg| arg == "--quick") => vec![200],
        [] => vec![1_000, 10_000, 100_000],
        asked => asked.to_vec(),
    };
    for accounts in sizes {
        let dir = tempfile::tempdir().expect("a temporary folder");
        child("templates", dir.path(), accounts);
        fleet(accounts, dir.path());
    }
}
