//! `cosmoguard snapshot …`.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use serde_json::json;

use super::args::{
    ColorChoice, Snapshot, SnapshotCreate, SnapshotInspect, SnapshotList, SnapshotRestore,
    SnapshotVerify,
};
use super::common::Lists;
use super::progress::Counter;
use super::style::{Ui, out, say, visible};
use super::table::{Align, Table};
use super::{Exit, about, by_hand, common, confirm, diff, model, rebuild};
use crate::account::view::Detail;
use crate::alert::words;
use crate::ids::AccountId;
use crate::profile::Profile;
use crate::snapshot::{self, Archive, EXTENSION, Manifest};
use crate::store::audit;
use crate::store::layout::DataDir;
use crate::store::memory::MemoryStore;
use crate::store::schema::{account, run};
use crate::time::{Clock, MINUTE_MS, SystemClock, Timestamp};

/// Runs one of them.
pub fn run(command: &Snapshot, color: ColorChoice) -> anyhow::Result<Exit> {
    match command {
        Snapshot::Create(args) => create(args, color),
        Snapshot::List(args) => list(args),
        Snapshot::Inspect(args) => inspect(args),
        Snapshot::Verify(args) => verify(args),
        Snapshot::Diff(args) => diff::run(args),
        Snapshot::Restore(args) => restore(args, color),
        Snapshot::Revert(args) => rebuild::revert(args, color),
    }
}

fn create(args: &SnapshotCreate, color: ColorChoice) -> anyhow::Result<Exit> {
    if args.out.exists() {
        bail!("`{}` exists; name another file", args.out.display());
    }
    let resolved = common::configuration(args.config.as_deref())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let intel = &resolved.config.intel;
    let lists = Lists::new(intel, &[], &[]).and_kept(intel, Some(&args.place.data_dir))?;
    let about = about::about(&resolved, &lists, clock.now())?;
    let opened = common::existing_store(&args.place.data_dir)?;
    let mut counter = Counter::start(Ui::stderr(color), "accounts written", Arc::clone(&clock));
    let manifest =
        snapshot::create(opened.store.as_ref(), &args.out, &about, &mut |n| counter.update(n))?;
    counter.finish();
    let bytes = std::fs::metadata(&args.out)?.len();
    if args.json {
        out(&json!({"file": args.out, "bytes": bytes, "manifest": manifest}).to_string());
    } else {
        say(&format!("{}: {}", shown(&args.out), sentence(&manifest, bytes)));
    }
    Ok(Exit::Done)
}

/// `8 accounts and 30 alerts until 2026-…, 312 kB`.
fn sentence(manifest: &Manifest, bytes: u64) -> String {
    let until = manifest.event_time().map_or_else(String::new, |at| format!(" until {at}"));
    format!(
        "{} accounts and {} alerts{until}, {}",
        words::count(manifest.accounts as f64),
        words::count(manifest.alerts as f64),
        words::bytes(bytes as f64)
    )
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string())
}

fn list(args: &SnapshotList) -> anyhow::Result<Exit> {
    let dir = &args.place.data_dir;
    if !dir.is_dir() {
        bail!("no data directory `{}`; give --data-dir the one of `cosmoguard replay`", shown(dir));
    }
    let folder = DataDir::new(dir).snapshots();
    let files = snapshots_in(&folder)?;
    if files.is_empty() && !args.json {
        say(&format!(
            "no snapshots in {}; `cosmoguard snapshot create FILE --data-dir DIR` makes one anywhere",
            shown(&folder)
        ));
    }
    let mut table = Table::new(&[
        ("snapshot", Align::Left),
        ("event time", Align::Left),
        ("accounts", Align::Right),
        ("alerts", Align::Right),
        ("size", Align::Right),
        ("state", Align::Left),
    ]);
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match Archive::open(path).and_then(|mut archive| archive.glance().map(|()| archive)) {
            Ok(archive) if args.json => {
                let (bytes, manifest) = (archive.bytes(), archive.manifest());
                out(&json!({"file": path, "bytes": bytes, "manifest": manifest}).to_string());
            }
            Err(e) if args.json => {
                out(&json!({"file": path, "error": e.to_string()}).to_string());
            }
            Ok(archive) => {
                let m = archive.manifest();
                table.row(vec![
                    visible(&name),
                    m.event_time().unwrap_or("-").to_owned(),
                    words::count(m.accounts as f64),
                    words::count(m.alerts as f64),
                    words::bytes(archive.bytes() as f64),
                    "complete".to_owned(),
                ]);
            }
            Err(e) => {
                let empty = || "-".to_owned();
                table.row(vec![
                    visible(&name),
                    empty(),
                    empty(),
                    empty(),
                    empty(),
                    "unusable".into(),
                ]);
                say(&format!("warning: {}", visible(&e.to_string())));
            }
        }
    }
    if !args.json && !files.is_empty() {
        table.lines().iter().for_each(|line| out(line));
    }
    Ok(Exit::Done)
}

/// Snapshot files of a folder, by name; none if there is no folder.
fn snapshots_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == EXTENSION) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn inspect(args: &SnapshotInspect) -> anyhow::Result<Exit> {
    let profile = common::configuration(None)?.config.profile;
    let mut archive = Archive::open(&args.file)?;
    if let Some(name) = &args.account {
        let detail = detail(&mut archive, name, &profile)?;
        if args.json {
            out(&serde_json::to_string_pretty(&detail)?);
        } else {
            model::print(&detail);
        }
        return Ok(Exit::Done);
    }
    if args.json {
        out(&serde_json::to_string(archive.manifest())?);
    } else {
        facts(&archive);
    }
    accounts(&mut archive, &profile, args.json)
}

/// The picture of one account in a snapshot.
fn detail(archive: &mut Archive, name: &str, profile: &Profile) -> anyhow::Result<Detail> {
    let id = AccountId::parse(name);
    let Some(sealed) = archive.account(&id)? else {
        let known = archive.accounts().iter().map(AccountId::key).collect();
        return Err(model::unknown(name, known));
    };
    let model = account::open(&sealed)?;
    let store = MemoryStore::default();
    archive.load_run(&store)?;
    let state = run::load(&store, profile.time.lateness_minutes * MINUTE_MS)?;
    Ok(model.detail(profile, state.priors.before(model.now().day())))
}

fn facts(archive: &Archive) {
    let m = archive.manifest();
    let line = |label: &str, text: &str| out(&format!("{label:<16} {}", visible(text)));
    line("snapshot", &archive.path().display().to_string());
    line("holds", &sentence(m, archive.bytes()));
    line("judged until", m.event_time.watermark.as_deref().unwrap_or("-"));
    line("first midnight", m.event_time.first_midnight.as_deref().unwrap_or("-"));
    line("made", &format!("{} by cosmoguard {}", m.created, m.program_version));
    line("format", &format!("{}, models of schema {}", m.format_version, m.schema_version));
    line("configuration", &format!("sha256 {}", m.config_sha256));
    for (number, list) in m.intel.iter().enumerate() {
        let label = if number == 0 { "lists" } else { "" };
        line(label, &list.name);
        line("", &format!("sha256 {}", list.sha256));
    }
    out("");
}

fn accounts(archive: &mut Archive, profile: &Profile, json: bool) -> anyhow::Result<Exit> {
    let mut briefs = Vec::new();
    let mut failed = None;
    archive.each_account(&mut |_, sealed| {
        match account::open(&sealed) {
            Ok(model) if json => {
                let line = serde_json::to_string(&model.brief(profile));
                line.iter().for_each(|line| out(line));
            }
            Ok(model) => briefs.push(model.brief(profile)),
            Err(e) => failed = Some(e),
        }
        failed.is_none()
    })?;
    if let Some(e) = failed {
        return Err(e.into());
    }
    if !json {
        model::table(briefs.iter());
    }
    Ok(Exit::Done)
}

fn verify(args: &SnapshotVerify) -> anyhow::Result<Exit> {
    let verified = snapshot::verify(&args.file).inspect_err(|e| {
        if args.json {
            out(&json!({"file": args.file, "error": e.to_string()}).to_string());
        }
    })?;
    if args.json {
        let (m, bytes, entries) = (&verified.manifest, verified.bytes, verified.entries);
        out(&json!({"file": args.file, "bytes": bytes, "entries": entries, "manifest": m})
            .to_string());
    } else {
        let holds = sentence(&verified.manifest, verified.bytes);
        say(&format!(
            "{} is whole: {holds}; all {} entries match their checksums, every model opens",
            shown(&args.file),
            verified.entries
        ));
    }
    Ok(Exit::Done)
}

/// What the audit log calls it.
const RESTORE: &str = "snapshot restore";

fn restore(args: &SnapshotRestore, color: ColorChoice) -> anyhow::Result<Exit> {
    let dir = &args.place.data_dir;
    if DataDir::new(dir).state().exists() {
        if let Err(exit) = confirm::can_be_asked(args.yes) {
            return Ok(exit);
        }
        let name = dir.file_name().unwrap_or(dir.as_os_str()).to_string_lossy();
        confirm::ask(args.yes, &format!("all that {} holds is replaced", shown(dir)), &name)?;
    }
    audit::probe(&DataDir::new(dir))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut counter = Counter::start(Ui::stderr(color), "accounts restored", Arc::clone(&clock));
    let place = DataDir::new(dir);
    let details = |m: &Manifest| json!({"snapshot": args.file, "by": common::who(), "keep_old": args.keep_old, "created": m.created, "event_time": m.event_time, "accounts": m.accounts});
    let mut begun = 0;
    let mut begin = |m: &Manifest| {
        begun = by_hand::begin(&place, clock.now(), RESTORE, details(m))
            .map_err(std::io::Error::other)?;
        Ok(())
    };
    let mut count = |n| counter.update(n);
    let done = snapshot::restore_noted(&args.file, dir, args.keep_old, &mut count, &mut begin)?;
    counter.finish();
    let m = &done.manifest;
    by_hand::done(&place, clock.now(), RESTORE, begun, details(m))?;
    let until = m.event_time().map_or_else(String::new, |at| format!(" until {at}"));
    say(&format!(
        "{} holds {} accounts and {} alerts{until} again; `cosmoguard replay PATH --data-dir {}` goes on from there",
        shown(dir),
        m.accounts,
        m.alerts,
        shown(dir)
    ));
    common::say_known_again(&DataDir::new(dir), Timestamp::parse(&m.created));
    for (what, kept) in [("state", done.state_before), ("alerts", done.alerts_before)] {
        if let Some(kept) = kept {
            say(&format!("the {what} of before: {}", shown(&kept)));
        }
    }
    Ok(Exit::Done)
}
