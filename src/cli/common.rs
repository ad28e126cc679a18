//! What several commands need: the configuration, the view of addresses, a store.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::style::{Ui, say, visible};
use super::{by_hand, recovery};
use crate::alert::words;
use crate::config::{self, Config, ConfigError, FeedConfig, IntelConfig, Resolved};
use crate::intel::feeds::kept::{FeedFolder, FeedSource};
use crate::intel::feeds::{self, FeedStatus};
use crate::intel::view::{IntelView, ListKind};
use crate::replay::snapshots::ScheduledSnapshots;
use crate::snapshot;
use crate::store::StateStore;
use crate::store::audit;
use crate::store::compact::{self, Compacted};
use crate::store::ladder;
use crate::store::layout::DataDir;
use crate::store::recovery::{Recovery, Rung};
use crate::store::sled_store::SledStore;
use crate::time::{Clock, SystemClock, Timestamp};

/// Resolves the configuration from defaults, `file` and the environment.
pub fn configuration(file: Option<&Path>) -> Result<Resolved, ConfigError> {
    let mut environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(config::ENV_PREFIX) && name != "COSMOGUARD_LOG")
        .collect();
    environment.sort();
    config::resolve(file, &environment)
}

/// Lists from flags and configuration.
pub struct Lists {
    /// Tor exits.
    pub tor_exits: Vec<PathBuf>,
    /// Threat lists.
    pub threat_ips: Vec<PathBuf>,
}

impl Lists {
    /// Those of the configuration, then those of the flags.
    pub fn new(config: &IntelConfig, tor_exits: &[PathBuf], threat_ips: &[PathBuf]) -> Lists {
        Lists {
            tor_exits: [config.tor_exits.as_slice(), tor_exits].concat(),
            threat_ips: [config.threat_ips.as_slice(), threat_ips].concat(),
        }
    }
}

impl Lists {
    /// With the lists that the data directory at `dir` keeps: those added by hand, and those that
    /// the configuration still names.
    ///
    /// # Errors
    /// A feed of the configuration cannot be used.
    pub fn and_kept(
        mut self,
        config: &IntelConfig,
        dir: Option<&Path>,
    ) -> Result<Lists, ConfigError> {
        let sources: Vec<FeedSource> =
            config.feeds.iter().map(FeedConfig::source).collect::<Result<_, _>>()?;
        let Some(dir) = dir else { return Ok(self) };
        let folder = FeedFolder::new(&DataDir::new(dir).intel());
        for kept in folder.all() {
            let named = sources.iter().any(|source| source.name == kept.name);
            let path = folder.list(&kept.name);
            if !(named || kept.by_hand) || !path.is_file() {
                continue;
            }
            match kept.list_kind() {
                Some(ListKind::TorExit) => self.tor_exits.push(path),
                Some(ListKind::Threat) => self.threat_ips.push(path),
                None => {}
            }
        }
        Ok(self)
    }

    /// Those that can be read once more: a pipe gave its list already, and opening it again would
    /// wait for ever.
    pub fn files(&self) -> Lists {
        let files = |paths: &[PathBuf]| paths.iter().filter(|p| p.is_file()).cloned().collect();
        Lists { tor_exits: files(&self.tor_exits), threat_ips: files(&self.threat_ips) }
    }
}

/// Builds the view of addresses and the state of each feed. `extra` are lists in memory (the
/// demo's).
pub fn intel_view(
    config: &Config,
    lists: &Lists,
    extra: &[(&str, ListKind, String)],
) -> anyhow::Result<(IntelView, Vec<FeedStatus>)> {
    let intel = &config.intel;
    let mut builder = IntelView::builder();
    let mut statuses = Vec::new();
    for path in &intel.databases {
        let bytes = std::fs::read(path)
            .with_context(|| format!("cannot read the address database {}", path.display()))?;
        builder = builder.database(&path.display().to_string(), bytes);
    }
    if !intel.service_tags.as_os_str().is_empty() {
        let path = &intel.service_tags;
        let bytes = std::fs::read(path)
            .with_context(|| format!("cannot read the service tags {}", path.display()))?;
        builder = builder.service_tags(bytes);
    }
    for network in &intel.trusted_networks {
        let Ok(network) = network.parse() else {
            bail!("intel.trusted_networks: `{network}` is not a network; write 203.0.113.0/24");
        };
        builder = builder.trust_network(network);
    }
    for asn in &intel.trusted_asns {
        builder = builder.trust_asn(*asn);
    }
    let files = lists.tor_exits.iter().map(|p| (p, ListKind::TorExit));
    for (path, kind) in files.chain(lists.threat_ips.iter().map(|p| (p, ListKind::Threat))) {
        let (list, status) = feeds::load_file(path, kind)?;
        builder = builder.list(list);
        statuses.push(status);
    }
    for (name, kind, text) in extra {
        let (list, status) = feeds::load_bytes(name, name, *kind, text.as_bytes())?;
        builder = builder.list(list);
        statuses.push(status);
    }
    Ok((builder.build()?, statuses))
}

/// A store on disk; the temporary one is removed with the guard.
pub struct Opened {
    /// The store.
    pub store: Arc<dyn StateStore>,
    /// The data directory, unless it is temporary.
    kept: Option<(PathBuf, ladder::Opened)>,
    _temporary: Option<tempfile::TempDir>,
}

impl Opened {
    fn of(dir: &Path, opened: ladder::Opened) -> Opened {
        let store: Arc<dyn StateStore> = Arc::clone(&opened.store) as _;
        Opened { store, kept: Some((dir.to_owned(), opened)), _temporary: None }
    }

    /// What had to be repaired at the opening.
    pub fn recovery(&self) -> Option<&Recovery> {
        self.kept.as_ref().and_then(|(_, opened)| opened.recovery.as_ref())
    }

    /// Closes a store that was written to; one that has grown is written anew.
    pub fn close(self) -> anyhow::Result<Option<Compacted>> {
        let Opened { store, kept, _temporary } = self;
        drop(store);
        let Some((dir, opened)) = kept else { return Ok(None) };
        Ok(compact::close(&dir, opened)?)
    }
}

/// Opens the store in `data_dir` for writing, or a temporary one. Damage is repaired as far as it can
/// be, and told.
pub fn open_store(data_dir: Option<&Path>, ui: Ui) -> anyhow::Result<Opened> {
    let Some(dir) = data_dir else { return temporary_store() };
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the data directory {}", dir.display()))?;
    let found = snapshot::restore::resume(dir)?;
    say_found(&found);
    let now = SystemClock::default().now();
    let opened = ladder::open(dir, &mut ScheduledSnapshots::of(&DataDir::new(dir)), now)?;
    if let Some(report) = &opened.recovery {
        recovery::print(ui, report);
        say_what_came_back(dir, report);
    }
    by_hand::settle(&DataDir::new(dir), &found, opened.store.as_ref(), now);
    Ok(Opened::of(dir, opened))
}

/// A repaired state may be one of before something was forgotten.
fn say_what_came_back(dir: &Path, report: &Recovery) {
    let dir = DataDir::new(dir);
    match &report.rung {
        Rung::Rebuilt => {}
        Rung::Snapshot { name } => {
            let taken = snapshot::Archive::open(&dir.snapshots().join(name)).ok();
            let made = taken.and_then(|archive| Timestamp::parse(&archive.manifest().created));
            say_known_again(&dir, made);
        }
        Rung::Empty => say_known_again(&dir, None),
        Rung::Kept => {
            if !report.accounts.is_empty() {
                say_known_again(&dir, None);
            }
        }
    }
}

/// What an interrupted restore left is no secret.
fn say_found(found: &snapshot::Found) {
    match found {
        snapshot::Found::Nothing => {}
        snapshot::Found::Finished { snapshot } => say(&format!(
            "the restore of {} had been interrupted and is now finished",
            visible(snapshot)
        )),
        snapshot::Found::Remains(path) => say(&format!(
            "warning: a restore was interrupted before it changed anything; restore again, or remove {}",
            visible(&path.display().to_string())
        )),
    }
}

fn temporary_store() -> anyhow::Result<Opened> {
    let temporary = tempfile::Builder::new()
        .prefix("cosmoguard-")
        .tempdir()
        .context("cannot make a temporary store; set TMPDIR to a folder with free space")?;
    let store: Arc<dyn StateStore> =
        Arc::new(SledStore::open(&DataDir::new(temporary.path()).state())?);
    Ok(Opened { store, kept: None, _temporary: Some(temporary) })
}

/// Opens a store that must exist, for reading: damage is reported and left as it is.
pub fn existing_store(data_dir: &Path) -> anyhow::Result<Opened> {
    let found = snapshot::restore::resume(data_dir)?;
    say_found(&found);
    if !DataDir::new(data_dir).state().is_dir() {
        bail!(
            "no models in {}; fill it with `cosmoguard replay PATH --data-dir {}`",
            data_dir.display(),
            data_dir.display()
        );
    }
    let opened = ladder::open_sound(data_dir)?;
    let now = SystemClock::default().now();
    by_hand::settle(&DataDir::new(data_dir), &found, opened.store.as_ref(), now);
    Ok(Opened::of(data_dir, opened))
}

/// Who asks, as the system calls them: by name, else by number.
pub fn who() -> Option<String> {
    let named = ["USER", "LOGNAME", "USERNAME"].iter().filter_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).map(|name| visible(&name)).next().or_else(user_number)
}

/// Services and containers have a user without a name.
fn user_number() -> Option<String> {
    #[cfg(target_os = "linux")]
    {
        let process = std::fs::metadata("/proc/self").ok()?;
        Some(format!("uid {}", std::os::unix::fs::MetadataExt::uid(&process)))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Warns of what was forgotten by hand after `made`: a state of before knows it again. `None` for
/// a state that learns everything afresh.
pub fn say_known_again(dir: &DataDir, made: Option<Timestamp>) {
    // A log that cannot be read is no reason to withhold a state; who asks for it is told.
    let Ok(entries) = audit::read(dir) else { return };
    let later = |entry: &&audit::Entry| {
        entry.action == "model forget"
            && entry.took_effect()
            && Timestamp::parse(&entry.time).is_none_or(|at| made.is_none_or(|made| at > made))
    };
    let mut names: Vec<String> = entries
        .iter()
        .filter(later)
        .filter_map(|entry| Some(visible(entry.details.get("account")?.as_str()?)))
        .collect();
    names.sort();
    names.dedup();
    if let Some(first) = names.first() {
        say(&format!(
            "warning: what was forgotten of {} {} known again, or learnt again from the logs; forget it again, audit.jsonl says what",
            words::plural(names.len() as f64, "account", "accounts"),
            if names.len() == 1 { format!("({first}) is") } else { format!("({first} …) is") },
        ));
    }
}
