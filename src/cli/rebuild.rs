//! `cosmoguard snapshot revert` and `cosmoguard model forget`: one account's model is built again,
//! what changes is said, and only after a yes it is put in place.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use serde_json::{Value, json};

use super::args::{ColorChoice, ModelForget, Rebuilding, SnapshotRevert};
use super::common::{self, Lists, Opened};
use super::progress::Progress;
use super::style::{Ui, out, say, visible};
use super::table::{Align, Table};
use super::{Exit, by_hand, confirm, diff, learnt_with, model};
use crate::account::diff::{Diff, Knowledge};
use crate::account::left_out::{Part, Why};
use crate::account::message::{Context, Published};
use crate::alert::words;
use crate::baseline::prior::Priors;
use crate::baseline::published::ByDay;
use crate::config::{Config, ConfigError};
use crate::ids::{AccountId, PrincipalId};
use crate::profile::Profile;
use crate::replay::pipeline::{self, Producer};
use crate::replay::rebuild::{self, Base, Order, Present, RebuildError, Rebuilt};
use crate::replay::snapshots::ScheduledSnapshots;
use crate::snapshot::Archive;
use crate::source;
use crate::store::layout::DataDir;
use crate::store::sources::Sources;
use crate::time::{Clock, DAY_MS, MINUTE_MS, SystemClock, Timestamp};

/// Files named of those that were not given.
const FILES_SHOWN: usize = 6;

/// Principals named when a name is not known.
const PRINCIPALS_SHOWN: usize = 5;

/// What both commands work on.
struct Work<'a> {
    account: AccountId,
    name: &'a str,
    dir: &'a Path,
    how: &'a Rebuilding,
    logs: &'a [PathBuf],
    config: Config,
    opened: Opened,
    present: Present,
    ui: Ui,
    clock: Arc<dyn Clock>,
}

impl<'a> Work<'a> {
    fn begin(
        name: &'a str,
        dir: &'a Path,
        logs: &'a [PathBuf],
        how: &'a Rebuilding,
        color: ColorChoice,
    ) -> anyhow::Result<Work<'a>> {
        if logs.iter().any(|path| path.as_os_str() == "-") {
            let why = "what comes by standard input cannot be told from what was read before";
            return Err(ConfigError(format!("{why}; name files or folders")).into());
        }
        let mut resolved = common::configuration(how.config.as_deref())?;
        if let Some(minutes) = how.lateness {
            resolved.set_lateness(minutes);
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let opened = common::existing_store(dir)?;
        if !logs.is_empty() {
            let lists = Lists::new(&resolved.config.intel, &how.tor_exits, &how.threat_ips)
                .and_kept(&resolved.config.intel, Some(dir))?;
            learnt_with::check(opened.store.as_ref(), &resolved, &lists, clock.now())?;
        }
        let config = resolved.config;
        let lateness_ms = config.profile.time.lateness_minutes * MINUTE_MS;
        let account = AccountId::parse(name);
        let present = Present::load(opened.store.as_ref(), &account, lateness_ms)?;
        let ui = Ui::stderr(color);
        Ok(Work { account, name, dir, how, logs, config, opened, present, ui, clock })
    }

    fn lateness_ms(&self) -> i64 {
        self.config.profile.time.lateness_minutes * MINUTE_MS
    }

    /// Builds the model from `base`; nothing is written.
    fn build(self, base: Base, leave_out: Option<Part>) -> anyhow::Result<Built<'a>> {
        let Work { account, name, dir, how, logs, config, opened, present, ui, clock } = self;
        let lists = Lists::new(&config.intel, &how.tor_exits, &how.threat_ips)
            .and_kept(&config.intel, Some(dir))?;
        let (intel, _) = common::intel_view(&config, &lists, &[])?;
        let priors = present.priors().clone();
        let from = base.snapshot.clone();
        let came_after = base.reaches();
        let order = Order {
            account,
            context: Context {
                profile: Arc::new(config.profile.clone()),
                intel: Arc::new(intel),
                published: Published::default(),
            },
            base,
            leave_out,
            logs: producer(logs, &config, present.sources())?,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            not_after: clock.now().plus_ms(2 * DAY_MS),
        };
        let mut bar = Progress::start(ui, "rebuild", how.json, Arc::clone(&clock));
        let rebuilt = rebuild::rebuild(order, present, &mut |progress, records, at| {
            bar.update(progress.bytes_read, progress.bytes_total, records, at, "");
        });
        bar.finish();
        let rebuilt = rebuilt?;
        let profile = config.profile;
        let built = Built {
            rebuilt,
            name,
            dir,
            how,
            logs,
            opened,
            from,
            came_after,
            priors,
            profile,
            clock,
        };
        built.told_gaps()?;
        Ok(built)
    }
}

fn producer(
    logs: &[PathBuf],
    config: &Config,
    sources: &Sources,
) -> anyhow::Result<Option<Producer>> {
    if logs.is_empty() {
        return Ok(None);
    }
    let options = source::Options {
        chunk_records: config.replay.batch_records.max(1),
        ..source::Options::default()
    };
    let mut reader = source::open(logs, &options)?;
    reader.know_heads(sources.known_heads());
    Ok(Some(pipeline::from_paths(reader)))
}

/// A model that is built and waits for a yes.
struct Built<'a> {
    rebuilt: Rebuilt,
    name: &'a str,
    dir: &'a Path,
    how: &'a Rebuilding,
    logs: &'a [PathBuf],
    opened: Opened,
    /// The snapshot it was built from.
    from: Option<String>,
    came_after: Timestamp,
    priors: ByDay<Priors>,
    profile: Profile,
    clock: Arc<dyn Clock>,
}

impl Built<'_> {
    /// Names what the logs lack, and refuses unless that was agreed to.
    fn told_gaps(&self) -> anyhow::Result<()> {
        let (missing, files) = (self.rebuilt.missing, self.files_missing()?);
        if missing == 0 && files.is_empty() {
            return Ok(());
        }
        let count = files.len();
        if missing > 0 && count > 0 {
            let mut table = Table::new(&[("read since and not given", Align::Left)]);
            files.iter().take(FILES_SHOWN).for_each(|file| table.row(vec![file.clone()]));
            table.lines().iter().for_each(|line| say(line));
            if count > FILES_SHOWN {
                say(&format!("  and {} more", count - FILES_SHOWN));
            }
        }
        if missing == 0 {
            say(&format!(
                "note: {} since were not given; nothing of {} lay in them",
                words::plural(count as f64, "file that was read", "files that were read"),
                visible(self.name)
            ));
            return Ok(());
        }
        let since = match self.came_after {
            Timestamp::MIN => "the first one".to_owned(),
            since => since.minutes_text(),
        };
        let lacking = format!(
            "{} that came to `{}` since {since} {} not in the logs given",
            words::plural(missing as f64, "record", "records"),
            self.name,
            if missing == 1 { "is" } else { "are" }
        );
        if self.how.allow_gaps {
            say(&format!("warning: {}: the model will not know them", visible(&lacking)));
            return Ok(());
        }
        bail!(
            "{lacking}: give the files named above as well, in the folders in which `replay` was given them, or --allow-gaps to go on without these records; nothing was changed"
        );
    }

    fn files_missing(&self) -> anyhow::Result<Vec<String>> {
        let store = self.opened.store.as_ref();
        let mut names = Vec::new();
        for number in &self.rebuilt.files_missing {
            let name = Sources::name(store, *number)?.unwrap_or_default();
            names.push(if name == "-" { "standard input".to_owned() } else { visible(&name) });
        }
        // Blobs name their account in the path: its own first, else the order of the register.
        let account = self.rebuilt.account.name();
        names.sort_by_key(|name| !name.to_ascii_lowercase().contains(account));
        Ok(names)
    }

    /// What the model knew and what it will know.
    fn changes(&self) -> (Knowledge, Knowledge) {
        let known = |model: &crate::account::model::AccountModel| {
            model.knowledge(&self.profile, self.priors.before(model.now().day()))
        };
        let after = known(&self.rebuilt.model);
        (self.rebuilt.before.as_ref().map_or_else(|| after.clone(), known), after)
    }

    /// Where the model came from, for people.
    fn origin(&self) -> String {
        match &self.from {
            Some(snapshot) => format!("from {}", visible(snapshot)),
            None => "from nothing".to_owned(),
        }
    }

    /// Says what changes, asks, writes, and keeps the audit line.
    fn put(self, action: &'static str, what: Value) -> anyhow::Result<Exit> {
        let (before, after) = self.changes();
        let diff = Diff::of(&before, &after);
        if !self.how.json {
            diff::print(("now", &before), ("then", &after), &diff);
        }
        if self.rebuilt.known_again > 0 {
            say(&format!(
                "warning: the snapshot was made before {} {} left out: the model may know {} again",
                words::plural(self.rebuilt.known_again as f64, "part", "parts"),
                if self.rebuilt.known_again == 1 { "was" } else { "were" },
                if self.rebuilt.known_again == 1 { "it" } else { "them" },
            ));
        }
        let question = format!("the model of {} is replaced", visible(self.name));
        confirm::ask(self.how.yes, &question, self.name)?;
        let dir = DataDir::new(self.dir);
        let r = &self.rebuilt;
        let mut details = json!({
            "account": self.name, "what": what, "by": common::who(), "snapshot": self.from, "logs": self.logs,
            "fed": r.fed, "left_out": r.left_out, "missing": r.missing,
            "files_not_given": r.files_missing.len(),
            "records_before": diff.records_before, "records_after": diff.records_after,
        });
        if let (Some((from, until)), Some(details)) = (r.unknown, details.as_object_mut()) {
            let unknown = json!({"from": from.to_string(), "until": until.to_string()});
            details.insert("unknown".to_owned(), unknown);
        }
        let mut begun = details.clone();
        if let Some(begun) = begun.as_object_mut() {
            let (before, after) =
                (by_hand::digest(r.before.as_ref()), by_hand::digest(Some(&r.model)));
            begun.insert("model_before_sha256".to_owned(), json!(before));
            begun.insert("model_after_sha256".to_owned(), json!(after));
        }
        let begun = by_hand::begin(&dir, self.clock.now(), action, begun)?;
        r.save(self.opened.store.as_ref())?;
        let entry = by_hand::done(&dir, self.clock.now(), action, begun, details.clone())?;
        if self.how.json {
            let (action, number) = (entry.action, entry.number);
            out(&serde_json::to_string_pretty(
                &json!({"action": action, "changed": true, "audit": number, "done": details, "diff": diff}),
            )?);
        } else {
            self.say_done(entry.number);
        }
        Ok(Exit::Done)
    }

    /// Nobody of this name did anything: a wrong name is more likely than nothing to forget.
    fn known_to(&self, principal: &str) -> anyhow::Result<()> {
        let known = &self.rebuilt.principals;
        if known.iter().any(|name| name.eq_ignore_ascii_case(principal)) {
            return Ok(());
        }
        let wanted = principal.to_ascii_lowercase();
        let distance = |name: &String| {
            (strsim::damerau_levenshtein(&name.to_ascii_lowercase(), &wanted), name.clone())
        };
        let mut nearest: Vec<&String> = known.iter().collect();
        nearest.sort_by_cached_key(|name| distance(name));
        nearest.truncate(PRINCIPALS_SHOWN);
        let names: Vec<String> = nearest.iter().map(|n| format!("`{}`", visible(n))).collect();
        let nearest = if names.is_empty() {
            "the logs given name nobody on this account".to_owned()
        } else {
            format!("nearest of {} known: {}", known.len(), names.join(", "))
        };
        bail!(
            "no principal `{}` did anything on {}; {nearest}; nothing was changed",
            visible(principal),
            visible(self.name)
        );
    }

    /// There was nothing to do; programs are told as well.
    fn unchanged(&self, action: &str) -> Exit {
        if self.how.json {
            let account = self.name;
            out(&json!({"action": action, "account": account, "changed": false}).to_string());
        }
        Exit::Done
    }

    fn say_done(&self, number: u64) {
        let r = &self.rebuilt;
        say(&format!(
            "{} is built again {}: {} fed, {} left out; audit.jsonl has it as entry {number}",
            visible(self.name),
            self.origin(),
            words::plural(r.fed as f64, "record", "records"),
            words::count(r.left_out as f64),
        ));
        if let Some((from, until)) = r.unknown {
            say(&format!(
                "it does not know what came from {} to {}; `cosmoguard snapshot revert {} --to {} --refeed PATH --data-dir {}` teaches it",
                from.minutes_text(),
                until.minutes_text(),
                visible(self.name),
                visible(self.from.as_deref().unwrap_or("FILE")),
                visible(&self.dir.display().to_string()),
            ));
        }
    }
}

/// `snapshot revert`.
pub fn revert(args: &SnapshotRevert, color: ColorChoice) -> anyhow::Result<Exit> {
    if let Err(exit) = confirm::can_be_asked(args.how.yes) {
        return Ok(exit);
    }
    let dir = &args.place.data_dir;
    let work = Work::begin(&args.account, dir, &args.refeed, &args.how, color)?;
    let mut archive = Archive::open(&args.to)?;
    let base = Base::of(&mut archive, &work.account, work.lateness_ms())?;
    if !base.is_known() {
        let known = archive.accounts().iter().map(AccountId::key).collect();
        return Err(model::unknown(&args.account, known));
    }
    let what = json!({"to": args.to, "refeed": !args.refeed.is_empty()});
    let built = work.build(base, None)?;
    if built.rebuilt.is_same() {
        say("nothing to revert: the model is what it would become; nothing was changed");
        return Ok(built.unchanged("snapshot revert"));
    }
    built.put("snapshot revert", what)
}

/// `model forget`.
pub fn forget(args: &ModelForget, color: ColorChoice) -> anyhow::Result<Exit> {
    if let Err(exit) = confirm::can_be_asked(args.how.yes) {
        return Ok(exit);
    }
    if args.from.zip(args.until).is_some_and(|(from, until)| from >= until) {
        say("error: --from must lie before --until");
        return Ok(Exit::Usage);
    }
    let work = Work::begin(&args.account, &args.place.data_dir, &args.logs, &args.how, color)?;
    if work.present.model.is_none() {
        model::load(work.opened.store.as_ref(), &args.account)?;
    }
    let until = work.present.newest().plus_ms(1);
    let part = Part {
        from: args.from.unwrap_or(Timestamp::MIN),
        until: args.until.unwrap_or(until),
        principal: args.principal.as_deref().map(PrincipalId::new),
        why: Why::Forgotten,
    };
    let base = base(args, &work, &part)?;
    let what = match &part.principal {
        Some(principal) => {
            json!({"principal": principal.to_string(), "until": part.until.to_string()})
        }
        None => json!({"from": part.from.to_string(), "until": part.until.to_string()}),
    };
    let built = work.build(base, Some(part))?;
    if built.rebuilt.left_out_now == 0 {
        if let Some(principal) = &args.principal {
            built.known_to(principal)?;
        }
        say(&format!(
            "nothing to forget: nothing in the model of {} is of that kind; nothing was changed",
            visible(built.name)
        ));
        return Ok(built.unchanged("model forget"));
    }
    built.put("model forget", what)
}

/// The snapshot named, the newest that fits, or nothing.
fn base(args: &ModelForget, work: &Work<'_>, part: &Part) -> anyhow::Result<Base> {
    let lateness_ms = work.lateness_ms();
    let Some(file) = &args.snapshot else {
        let mut snapshots = ScheduledSnapshots::of(&DataDir::new(&args.place.data_dir));
        let (account, present) = (&work.account, &work.present);
        let found = Base::newest_before(&mut snapshots, account, part.from, present, lateness_ms);
        return Ok(found.map_or_else(|| Base::empty(lateness_ms), Ok)?);
    };
    let base = Base::of(&mut Archive::open(file)?, &work.account, lateness_ms)?;
    if !work.present.follows(&base) {
        return Err(RebuildError::NotEarlier(file.display().to_string()).into());
    }
    if part.principal.is_none() && base.reaches() >= part.from {
        bail!(
            "`{}` knows `{}` until {}, which is not before {}; name an earlier snapshot, or none: then all logs are needed from the first one",
            file.display(),
            args.account,
            base.reaches(),
            part.from
        );
    }
    Ok(base)
}
