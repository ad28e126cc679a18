//! One TOML file over shipped defaults, environment over the file, flags over both. Unknown keys
//! are refused with their place; every value knows where it came from.
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::alert::sinks::settings::{InventorySettings, Routes, SinkSettings};
use crate::intel::feeds::kept::{FeedSource, From, is_name, kind_of};
use crate::profile::{self, Profile};

pub mod about;
mod check;
mod place;
#[cfg(test)]
mod tests;

/// The embedded defaults, besides the profile.
pub const DEFAULT_TOML: &str = include_str!("../../models/default/config.toml");
/// Prefix of environment overrides.
pub const ENV_PREFIX: &str = "COSMOGUARD_";

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where state lives.
    pub store: StoreConfig,
    /// How history is replayed.
    pub replay: ReplayConfig,
    /// How the service runs.
    pub serve: ServeConfig,
    /// Which snapshots are taken by themselves.
    pub snapshots: SnapshotsConfig,
    /// How alerts leave.
    pub alerts: AlertsConfig,
    /// Where alerts are sent.
    pub sinks: Vec<SinkSettings>,
    /// Who gets what.
    pub routes: Routes,
    /// Which accounts there are.
    pub inventory: InventorySettings,
    /// What is known of addresses.
    pub intel: IntelConfig,
    /// The HTTP API.
    pub server: ServerConfig,
    /// The detectors' settings.
    pub profile: Profile,
}

/// `[store]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Data directory; empty for a temporary store.
    pub data_dir: PathBuf,
}

/// `[replay]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayConfig {
    /// Threads; 0 = cores.
    pub threads: usize,
    /// Records a chunk.
    pub batch_records: usize,
    /// Accounts awake.
    pub awake_accounts: usize,
    /// Records between checkpoints.
    pub checkpoint_records: u64,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
}

/// `[serve]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeConfig {
    /// Address and port of the HTTP interface.
    pub listen: String,
    /// Folders and files that are read while they grow.
    pub watch: Vec<PathBuf>,
    /// Seconds between two looks at them.
    pub poll_seconds: u64,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: u64,
    /// Seconds that what is read already may take to be applied at the end.
    pub drain_seconds: u64,
    /// Bytes of batches that may wait to be applied.
    pub inbox_bytes: u64,
}

/// `[snapshots]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotsConfig {
    /// Hours between two; 0 = never.
    pub every_hours: u32,
    /// Replays take them too.
    pub in_replay: bool,
    /// Newest ones that stay.
    pub keep_last: usize,
    /// Days whose newest one stays.
    pub keep_daily: usize,
    /// Weeks whose newest one stays.
    pub keep_weekly: usize,
}

/// `[alerts]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertsConfig {
    /// Format name.
    pub format: String,
}

/// `[intel]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntelConfig {
    /// MaxMind-format databases.
    pub databases: Vec<PathBuf>,
    /// ServiceTags_Public file; empty for none.
    pub service_tags: PathBuf,
    /// Trusted CIDRs.
    pub trusted_networks: Vec<String>,
    /// Trusted AS numbers.
    pub trusted_asns: Vec<u32>,
    /// Tor exit lists.
    pub tor_exits: Vec<PathBuf>,
    /// Threat lists.
    pub threat_ips: Vec<PathBuf>,
    /// Lists that are fetched and kept in the data directory.
    pub feeds: Vec<FeedConfig>,
}

/// `[[intel.feeds]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedConfig {
    /// Name, by which alerts call it.
    pub name: String,
    /// `tor-exit` or `threat`.
    pub kind: String,
    /// A URL or a file.
    pub from: String,
    /// SHA-256, or a URL or file that holds it; empty for none.
    #[serde(default)]
    pub checksum: String,
    /// Hours between two fetches.
    #[serde(default = "six_hours")]
    pub every_hours: u32,
    /// Hours without good contact beyond which it is told to be old.
    #[serde(default = "three_days")]
    pub stale_after_hours: u32,
}

fn six_hours() -> u32 {
    6
}

fn three_days() -> u32 {
    72
}

impl FeedConfig {
    /// As the keeper of feeds takes it.
    ///
    /// # Errors
    /// The name or the kind cannot be used.
    pub fn source(&self) -> Result<FeedSource, ConfigError> {
        let wrong = |key: &str, why: &str| {
            ConfigError(format!("intel.feeds: `{key}` of the feed `{}` {why}", self.name))
        };
        if !is_name(&self.name) {
            return Err(wrong(
                "name",
                "must be lower-case letters, digits and hyphens, at most 64",
            ));
        }
        let Some(kind) = kind_of(&self.kind) else {
            return Err(wrong("kind", "must be one of tor-exit, threat"));
        };
        if self.every_hours == 0 {
            return Err(wrong("every_hours", "must be 1 or more"));
        }
        if self.from.starts_with("http://") && self.checksum.is_empty() {
            let why =
                "is plain HTTP, which anybody on the way can change; use https, or give a checksum";
            return Err(wrong("from", why));
        }
        Ok(FeedSource {
            name: self.name.clone(),
            kind,
            from: From::parse(&self.from),
            checksum: Some(self.checksum.clone()).filter(|c| !c.is_empty()),
            every_hours: self.every_hours,
            stale_after_hours: self.stale_after_hours,
        })
    }
}

/// `[server]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Ask for a token even on this machine alone.
    pub require_token: bool,
    /// Threads that answer.
    pub workers: usize,
    /// Connections at a time, each thread.
    pub connections: usize,
    /// Requests a second of one client.
    pub requests_per_second: f64,
    /// Requests of one client at once.
    pub burst: f64,
    /// Certificates.
    pub tls: TlsConfig,
}

/// `[server.tls]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificate chain, PEM; empty for no TLS.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Clients show a certificate of this authority, PEM; empty: they need none.
    pub client_ca: PathBuf,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Shipped.
    Default,
    /// The configuration file, line and column.
    File(PathBuf, usize, usize),
    /// An environment variable.
    Environment(String),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path, line, column) => write!(f, "{}:{line}:{column}", path.display()),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

/// The resolved configuration.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings.
    pub config: Config,
    /// Every leaf: dotted key, value as TOML, origin; values before sections.
    pub values: Vec<(String, String, Origin)>,
}

impl Resolved {
    /// Sets the allowed lateness, as `--lateness` asks for it.
    pub fn set_lateness(&mut self, minutes: i64) {
        self.config.profile.time.lateness_minutes = minutes;
        for (key, value, origin) in &mut self.values {
            if key == "profile.time.lateness_minutes" {
                (*value, *origin) = (minutes.to_string(), Origin::Flag("--lateness"));
            }
        }
    }
}

/// Reads defaults, then `file`, then `environment` (name, value).
///
/// # Errors
/// The file cannot be read or parsed, or a key or value is wrong; the message names its place.
pub fn resolve(
    file: Option<&Path>,
    environment: &[(String, String)],
) -> Result<Resolved, ConfigError> {
    let mut layers = Layers::shipped()?;
    if let Some(path) = file {
        layers.read_file(path)?;
    }
    for (name, value) in environment {
        layers.read_environment(name, value)?;
    }
    layers.resolve()
}

struct Layers {
    merged: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn shipped() -> Result<Layers, ConfigError> {
        let parse = |text: &str| {
            text.parse::<Table>().map_err(|e| ConfigError(format!("shipped settings: {e}")))
        };
        let mut merged = parse(DEFAULT_TOML)?;
        merged.insert("profile".to_owned(), Value::Table(parse(profile::DEFAULT_TOML)?));
        Ok(Layers { merged, origins: BTreeMap::new() })
    }

    fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|e| {
            ConfigError(format!("cannot read {}: {e}; check --config", path.display()))
        })?;
        for leaf in place::leaves(path, &text)? {
            let place = format!("{}:{}:{}", path.display(), leaf.line, leaf.column);
            let origin = Origin::File(path.to_owned(), leaf.line, leaf.column);
            self.set(&leaf.key, leaf.value, origin, &place)?;
        }
        Ok(())
    }

    fn read_environment(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let Some(rest) = name.strip_prefix(ENV_PREFIX) else { return Ok(()) };
        let key = self.known_case(rest.split("__"));
        // What parses as a TOML value is one; anything else is text.
        let value = format!("v = {value}")
            .parse::<Table>()
            .ok()
            .and_then(|mut t| t.remove("v"))
            .unwrap_or_else(|| Value::String(value.to_owned()));
        self.set(&key, value, Origin::Environment(name.to_owned()), name)
    }

    /// The parts of a key as the shipped settings spell them: names in the environment have no case.
    fn known_case<'a>(&self, parts: impl Iterator<Item = &'a str>) -> Vec<String> {
        let mut table = Some(&self.merged);
        let mut key = Vec::new();
        for part in parts {
            let known = table.and_then(|t| t.keys().find(|k| k.eq_ignore_ascii_case(part)));
            let name = known.cloned().unwrap_or_else(|| part.to_ascii_lowercase());
            table = table.and_then(|t| t.get(&name)).and_then(Value::as_table);
            key.push(name);
        }
        key
    }

    /// Sets a leaf that the shipped settings know, whose type must fit.
    fn set(
        &mut self,
        key: &[String],
        value: Value,
        origin: Origin,
        place: &str,
    ) -> Result<(), ConfigError> {
        let mut table = &mut self.merged;
        let Some((last, path)) = key.split_last() else { return Ok(()) };
        for (depth, part) in path.iter().enumerate() {
            if !table.contains_key(part) {
                return Err(unknown(place, part, &path[..depth], table));
            }
            table = match table.get_mut(part) {
                Some(Value::Table(inner)) => inner,
                _ => {
                    return Err(ConfigError(format!(
                        "{place}: `{}` is a value, not a section",
                        path[..=depth].join(".")
                    )));
                }
            };
        }
        let Some(known) = table.get(last) else { return Err(unknown(place, last, path, table)) };
        let value = match (known, value) {
            (Value::Float(_), Value::Integer(whole)) => Value::Float(whole as f64),
            (known, value) if known.same_type(&value) => value,
            (known, value) => {
                return Err(ConfigError(format!(
                    "{place}: `{}` must be of type {}, not {}",
                    dotted(key),
                    known.type_str(),
                    value.type_str()
                )));
            }
        };
        table.insert(last.clone(), value);
        self.origins.insert(dotted(key), origin);
        Ok(())
    }

    fn resolve(self) -> Result<Resolved, ConfigError> {
        if let Some((key, why)) = check::first_wrong(&self.merged) {
            let origin = self.origins.get(&key).map(|origin| format!("{origin}: "));
            let place = origin.unwrap_or_default();
            return Err(ConfigError(format!("{place}`{key}` {why}")));
        }
        let config = Config::deserialize(Value::Table(self.merged.clone()))
            .map_err(|e| ConfigError(format!("configuration: {}", e.message())))?;
        let mut values = Vec::new();
        flatten(&self.merged, &mut Vec::new(), &mut values);
        let values = values
            .into_iter()
            .map(|(key, value)| {
                let origin = self.origins.get(&key).cloned().unwrap_or(Origin::Default);
                (key, value, origin)
            })
            .collect();
        Ok(Resolved { config, values })
    }
}

/// A key as TOML writes it.
fn dotted(path: &[String]) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let quoted = path.iter().map(|part| {
        if part.chars().all(bare) { part.clone() } else { Value::from(part.as_str()).to_string() }
    });
    quoted.collect::<Vec<_>>().join(".")
}

/// The values of a table, then those of the tables in it: the order in which TOML can be read back.
fn flatten(table: &Table, path: &mut Vec<String>, out: &mut Vec<(String, String)>) {
    let mut keys: Vec<&String> = table.keys().collect();
    keys.sort_by_key(|key| (table[*key].is_table(), *key));
    for key in keys {
        path.push(key.clone());
        match &table[key] {
            Value::Table(inner) => flatten(inner, path, out),
            value => out.push((dotted(path), value.to_string())),
        }
        path.pop();
    }
}

fn unknown(place: &str, key: &str, section: &[String], table: &Table) -> ConfigError {
    let nearest = table
        .keys()
        .map(|k| (strsim::damerau_levenshtein(k, key), k))
        .min()
        .filter(|(distance, k)| *distance <= k.len().div_ceil(3))
        .map(|(_, k)| format!("; did you mean `{k}`?"))
        .unwrap_or_else(|| {
            let mut known: Vec<&str> = table.keys().map(String::as_str).collect();
            known.sort_unstable();
            format!("; known are {}", known.join(", "))
        });
    let section = if section.is_empty() {
        "at the top".to_owned()
    } else {
        format!("in [{}]", section.join("."))
    };
    ConfigError(format!("{place}: unknown key `{key}` {section}{nearest}"))
}
