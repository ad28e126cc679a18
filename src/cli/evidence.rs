//! `cosmoguard evidence …`.
use std::path::Path;

use anyhow::bail;
use serde_json::{Value, json};

use super::args::{Evidence, EvidenceCommand, EvidenceVerify};
use super::common::Lists;
use super::style::{out, say, visible};
use super::{Exit, about, check_config, common};
use crate::alert::explain::{self, AlertView, Lookup};
use crate::alert::kept::{Kept, Touched};
use crate::alert::{AlertId, words};
use crate::config::Resolved;
use crate::evidence::contents::{self, Facts, Origin};
use crate::evidence::folder::Folder;
use crate::evidence::records::{self, Counts, Logs};
use crate::evidence::{EvidenceError, take, verify};
use crate::ids::AccountId;
use crate::profile::Profile;
use crate::snapshot::{About, Archive, EXTENSION};
use crate::store::layout::DataDir;
use crate::store::memory::MemoryStore;
use crate::store::run_log::{self, Run};
use crate::store::schema::{account, run};
use crate::store::sources::Sources;
use crate::store::{StateStore, audit, keys};
use crate::time::{Clock, MINUTE_MS, SystemClock, Timestamp};

/// Runs it.
pub fn run(args: &Evidence) -> anyhow::Result<Exit> {
    match (&args.command, &args.alert_id, &args.out, &args.data_dir) {
        (Some(EvidenceCommand::Verify(args)), ..) => check(args),
        (None, Some(id), Some(to), Some(dir)) => pack(args, id, to, dir),
        _ => Ok(Exit::Usage),
    }
}

/// Notes what a run was asked for, so that its alerts can be brought about once more.
pub fn note_run(
    store: &dyn StateStore,
    resolved: &Resolved,
    lists: &Lists,
    now: Timestamp,
) -> anyhow::Result<()> {
    let about = about::about(resolved, &lists.files(), now)?;
    let text = |arg: std::ffi::OsString| arg.to_string_lossy().into_owned();
    let folder = std::env::current_dir().map(|folder| folder.display().to_string());
    let run = Run {
        started: now,
        version: about.program_version,
        command: std::env::args_os().skip(1).map(text).collect(),
        folder: folder.unwrap_or_default(),
        config: settings(resolved),
        lists: about.intel.into_iter().map(|list| (list.name, list.sha256)).collect(),
    };
    Ok(run_log::note(store, &run)?)
}

fn settings(resolved: &Resolved) -> String {
    check_config::lines(resolved, false).join("\n").trim_start().to_owned() + "\n"
}

fn shown(path: &Path) -> String {
    visible(&path.display().to_string())
}

/// Everything that is known of the alert.
struct Found {
    view: Box<AlertView>,
    /// Its lines, oldest first.
    lines: Vec<String>,
    revisions: Vec<Value>,
    kept: Kept,
    runs: Vec<(u64, Run)>,
}

fn pack(args: &Evidence, prefix: &str, to: &Path, dir: &Path) -> anyhow::Result<Exit> {
    let resolved = common::configuration(args.config.as_deref())?;
    let clock = SystemClock::default();
    let now = clock.now();
    let intel = &resolved.config.intel;
    let lists = Lists::new(intel, &[], &[]).and_kept(intel, Some(dir))?;
    let about = about::about(&resolved, &lists, now)?;
    if let Some(source) = args.source.as_ref().filter(|source| !source.exists()) {
        bail!(
            "no file or folder `{}`; give --source the place where the logs lie now",
            shown(source)
        );
    }
    // Before anything is read: an unusable OUT is the likeliest mistake.
    let mut folder = Folder::begin(to)?;
    let opened = common::existing_store(dir)?;
    let found = find(opened.store.as_ref(), prefix, dir)?;
    let counts = put_records(&mut folder, &found, args)?;
    let (model, model_said) = model_before(dir, &found.kept, &resolved.config.profile)?;
    if let Some(model) = model {
        folder.put(contents::MODEL, &model)?;
    }
    let data_dir = DataDir::new(dir);
    let by_hand = audit::read(&data_dir).map_or(0, |entries| {
        entries.iter().filter(|e| e.action != AUDIT_ACTION && e.took_effect()).count()
    });
    let facts = Facts {
        id: found.view.id.clone(),
        headline: headline(&found),
        counts,
        model: model_said,
        raw: args.raw,
        by_hand,
    };
    put_texts(&mut folder, &found, &about, &settings(&resolved), &facts)?;
    let sum = folder.seal()?;
    if args.raw {
        // Before the folder has its name: raw records never lie there without an entry.
        let details = json!({"alert": found.view.id, "out": to, "by": common::who(), "source": args.source, "raw_records": counts.raw, "manifest_sha256": sum});
        audit::append(&data_dir, now, AUDIT_ACTION, details)?;
    }
    folder.publish()?;
    tell(to, &found, &counts, args, &sum);
    Ok(Exit::Done)
}

const AUDIT_ACTION: &str = "evidence --raw";

fn put_records(folder: &mut Folder, found: &Found, args: &Evidence) -> anyhow::Result<Counts> {
    // The newest run's folder first: a name that it met there lies there most likely.
    let folders: Vec<&Path> = found.runs.iter().rev().map(|(_, r)| Path::new(&r.folder)).collect();
    let logs = match &args.source {
        Some(moved) => Logs::MovedTo(moved),
        None => Logs::AsNamed(&folders),
    };
    let kept = &found.kept;
    let now = match (args.raw, &args.source) {
        (false, None) => None,
        (false, Some(_)) => Some(records::reread(kept, &logs, None)?),
        (true, _) => {
            let read = |to: &mut dyn std::io::Write| records::reread(kept, &logs, Some(to));
            Some(folder.stream(contents::RAW, read)?)
        }
    };
    let (lines, counts) = records::lines(kept, now.as_deref(), args.raw);
    folder.put(contents::RECORDS, &lines)?;
    Ok(counts)
}

fn put_texts(
    folder: &mut Folder,
    found: &Found,
    about: &About,
    config_now: &str,
    facts: &Facts,
) -> Result<(), EvidenceError> {
    let origin = Origin { about, runs: &found.runs };
    let alert: String = found.lines.iter().map(|line| format!("{}\n", line.trim_end())).collect();
    folder.put(contents::ALERT, &alert)?;
    folder.put(contents::FEEDS, &origin.feeds(&found.revisions))?;
    for (name, config) in origin.configs(config_now) {
        folder.put(&name, &config)?;
    }
    folder.put(contents::VERSIONS, &origin.versions())?;
    folder.put(contents::REPLAY, &origin.replay(&facts.id))?;
    folder.put(contents::README, &contents::readme(facts))
}

fn headline(found: &Found) -> Vec<(&'static str, String)> {
    let v = &found.view;
    let last = found.revisions.last();
    let said = |name: &str| {
        let value = last.and_then(|r| r.pointer(&format!("/properties/{name}")));
        value.and_then(Value::as_str).unwrap_or("-").to_owned()
    };
    vec![
        ("what", v.title.clone()),
        ("severity", format!("{} (revision {})", v.severity.as_str(), v.revision)),
        ("account", v.account.clone()),
        ("from", said("startTimeUtc")),
        ("until", said("endTimeUtc")),
        ("verdict", v.verdict.clone()),
    ]
}

/// The alert whose id begins with `prefix`, and all that is stored of it.
fn find(store: &dyn StateStore, prefix: &str, dir: &Path) -> anyhow::Result<Found> {
    let wanted = prefix.trim().to_ascii_lowercase();
    let list =
        format!("the field `name` of each line of {} is an id", shown(&DataDir::new(dir).alerts()));
    if wanted.is_empty() {
        bail!("no alert id; give the first digits of one ({list})");
    }
    let mut lines = Vec::new();
    store.scan(keys::ALERT, &mut |_, line| {
        let line = String::from_utf8_lossy(line);
        // Cheaper than reading every alert there is; what only mentions it is sorted out below.
        if line.contains(&wanted) {
            lines.push(line.into_owned());
        }
        true
    })?;
    let view = match explain::find(lines.iter().map(String::as_str), &wanted) {
        Lookup::One(view) => view,
        Lookup::Several(ids) => bail!(
            "`{}` fits {} alerts: {}; give more digits",
            visible(prefix),
            ids.len(),
            ids.join(", ")
        ),
        Lookup::None => {
            bail!("no alert begins with `{}` in {}; {list}", visible(prefix), shown(dir))
        }
        Lookup::Broken(cause) => bail!("the alert in {} cannot be told: {cause}", shown(dir)),
    };
    let of_it = |line: &String| {
        let value: Value = serde_json::from_str(line).ok()?;
        (value.get("name")?.as_str()? == view.id).then_some(value)
    };
    let both = lines.into_iter().filter_map(|line| of_it(&line).map(|value| (line, value)));
    let (lines, revisions) = both.unzip();
    let kept = match AlertId::parse(&view.id) {
        Some(id) => kept(store, id)?,
        None => Kept::default(),
    };
    Ok(Found { view, lines, revisions, kept, runs: run_log::all(store)? })
}

/// The records that are kept; of a state whose build kept none, those that the desk remembers.
fn kept(store: &dyn StateStore, id: AlertId) -> anyhow::Result<Kept> {
    if let Some(kept) = take::kept(store, id)? {
        return Ok(kept);
    }
    let desk = run::desk(store)?;
    let Some((key, story)) = desk.stories().find(|(_, story)| story.id() == id) else {
        return Ok(Kept::default());
    };
    let mut kept = Kept::unread(&Touched {
        account: key.account.clone(),
        start: story.span().0,
        records: story.records().clone(),
    });
    let mut numbers: Vec<u32> = kept.records.iter().filter_map(|r| r.place.source()).collect();
    numbers.dedup();
    for number in numbers {
        kept.sources.push((number, Sources::name(store, number)?.unwrap_or_default()));
    }
    Ok(kept)
}

/// The account's model from the newest snapshot that knows nothing of the alert's time, as
/// `model show --json` prints it, and what to say of it.
fn model_before(
    dir: &Path,
    kept: &Kept,
    profile: &Profile,
) -> anyhow::Result<(Option<String>, String)> {
    let none = |why: &str| Ok((None, format!("is not here: {why}")));
    if kept.account.is_empty() {
        return none("the state does not know the alert's account any more");
    }
    let folder = DataDir::new(dir).snapshots();
    let Some((reaches, mut archive)) = newest_before(&folder, kept.start) else {
        return none(&format!(
            "no snapshot in snapshots/ of the data directory ends before {}",
            kept.start.azure()
        ));
    };
    let name = archive.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let id = AccountId::parse(&kept.account);
    let Some(sealed) = archive.account(&id)? else {
        return none(&format!("the account was not known yet in {name}, which ends at {reaches}"));
    };
    let model = account::open(&sealed)?;
    let store = MemoryStore::default();
    archive.load_run(&store)?;
    let state = run::load(&store, profile.time.lateness_minutes * MINUTE_MS)?;
    let detail = model.detail(profile, state.priors.before(model.now().day()));
    let said = format!(
        "what was normal for the account before, as `cosmoguard model show --json` prints it: from {name}, whose newest\n  record is of {reaches}"
    );
    Ok((Some(serde_json::to_string_pretty(&detail)? + "\n"), said))
}

/// The snapshot of `folder` with the newest record before `start`, and when that is.
fn newest_before(folder: &Path, start: Timestamp) -> Option<(Timestamp, Archive)> {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let candidates = files.filter_map(|file| {
        let path = file.path();
        path.extension().filter(|e| *e == EXTENSION)?;
        let archive = Archive::open(&path).ok()?;
        let newest = Timestamp::parse(archive.manifest().event_time.newest.as_deref()?)?;
        (newest < start).then_some((newest, path, archive))
    });
    let best = candidates.max_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)))?;
    Some((best.0, best.2))
}

fn tell(to: &Path, found: &Found, counts: &Counts, args: &Evidence, sum: &str) {
    say(&format!(
        "{}: {} of alert {}, {} of {} hashed; MANIFEST.sha256 has the SHA-256 {sum}",
        shown(to),
        words::plural(counts.records as f64, "record", "records"),
        &found.view.id[..8.min(found.view.id.len())],
        counts.hashed,
        counts.records,
    ));
    if counts.changed > 0 {
        say(&format!(
            "warning: {} records are not what they were when the alert was stored; their bytes are left out",
            counts.changed
        ));
    }
    if args.raw && counts.raw < counts.records {
        say(&format!(
            "warning: the bytes of {} records could not be copied; `status` and `raw` in {} say why, and --source names where the logs lie now",
            counts.records - counts.raw,
            contents::RECORDS
        ));
    }
    if counts.records == 0 {
        say(
            "warning: no record of this alert has a place: standard input, made up, or stored by a build that kept none",
        );
    }
}

fn check(args: &EvidenceVerify) -> anyhow::Result<Exit> {
    let verified = verify::verify(&args.out)?;
    if args.json {
        let line = json!({"folder": args.out, "whole": verified.faults.is_empty(), "files": verified.files, "raw_records": verified.raw_records, "manifest_sha256": verified.manifest_sha256, "faults": verified.faults});
        out(&line.to_string());
    } else {
        verified.faults.iter().for_each(|fault| say(&visible(fault)));
    }
    if !verified.faults.is_empty() {
        bail!(
            "{} is not what was packed: {} faults; pack it again from the data directory with `cosmoguard evidence ALERT_ID OUT`",
            shown(&args.out),
            verified.faults.len()
        );
    }
    if !args.json {
        say(&format!(
            "{} is whole: {} files match MANIFEST.sha256 (SHA-256 {}), {} raw records match the SHA-256 noted with the alert",
            shown(&args.out),
            verified.files,
            verified.manifest_sha256,
            verified.raw_records
        ));
    }
    Ok(Exit::Done)
}
