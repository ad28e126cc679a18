//! What can be set of sinks, routes and the inventory. The configuration file reads into these.
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;

use super::secret::{SecretRef, Url};
use crate::alert::formats::Format;

mod words;

pub use words::{FormatWord, SeverityWord};

/// Longest name of a sink: it is a folder's.
const NAME_MAX: usize = 40;

/// One of `[[sinks]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct SinkSettings {
    /// What every sink has.
    pub common: Common,
    /// What it is.
    pub target: Target,
}

/// What every sink has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Common {
    /// Names it in routes, commands and the data directory.
    pub name: String,
    /// Gets alerts that the fleet's budget holds back, too: for archives and SIEMs.
    #[serde(default)]
    pub all_alerts: bool,
    /// Gets the daily digest; unless said, chats and webhooks do.
    #[serde(default)]
    pub digest: Option<bool>,
    /// Minutes between two heartbeats; 0 = none.
    #[serde(default)]
    pub heartbeat_minutes: u32,
    /// Tries before a message is set aside.
    #[serde(default = "default_tries")]
    pub max_tries: u32,
    /// Hours after which a message that still fails is set aside.
    #[serde(default = "default_age")]
    pub max_age_hours: u32,
    /// Seconds for one try.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u32,
}

/// More than a message of [`default_age`] can have: by default, age decides.
fn default_tries() -> u32 {
    2000
}
fn default_age() -> u32 {
    72
}
fn default_timeout() -> u32 {
    10
}

/// Keys of [`Common`]; all others belong to the target.
const COMMON: &[&str] = &[
    "name",
    "all_alerts",
    "digest",
    "heartbeat_minutes",
    "max_tries",
    "max_age_hours",
    "timeout_seconds",
];

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Target {
    /// JSON or CEF lines in a file.
    File(FileTarget),
    /// HTTP POST, signed.
    Webhook(WebhookTarget),
    /// RFC 5424.
    Syslog(SyslogTarget),
    /// Rows through the Logs Ingestion API.
    LogAnalytics(LogAnalyticsTarget),
    /// An incoming webhook of Slack.
    Slack(ChatTarget),
    /// A workflow webhook of Teams.
    Teams(ChatTarget),
}

/// `kind = "file"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileTarget {
    /// The file.
    pub path: PathBuf,
    /// Shape of its lines.
    #[serde(default)]
    pub format: FormatWord,
    /// Bytes at which it is put aside.
    #[serde(default = "default_rotate_bytes")]
    pub rotate_bytes: u64,
    /// Hours after which it is put aside; 0 = never.
    #[serde(default = "default_rotate_hours")]
    pub rotate_hours: u32,
    /// Files that stay besides the one that is written.
    #[serde(default = "default_keep")]
    pub keep: u32,
}

fn default_rotate_bytes() -> u64 {
    64 << 20
}
fn default_rotate_hours() -> u32 {
    24
}
fn default_keep() -> u32 {
    14
}

/// `kind = "webhook"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookTarget {
    /// Where.
    pub url: Url,
    /// Shape of the body.
    #[serde(default)]
    pub format: FormatWord,
    /// Key of the signature.
    #[serde(default)]
    pub secret: Option<SecretRef>,
    /// Sent as `Authorization: Bearer`.
    #[serde(default)]
    pub bearer: Option<SecretRef>,
    /// The target may lie on a private address, and be spoken to without TLS.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file with the authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// `kind = "syslog"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyslogTarget {
    /// `host:port`.
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: Transport,
    /// Shape of the message.
    #[serde(default = "default_cef")]
    pub format: FormatWord,
    /// Facility, 0 to 23.
    #[serde(default = "default_facility")]
    pub facility: u8,
    /// HOSTNAME; empty for none.
    #[serde(default)]
    pub hostname: String,
    /// PEM file with the authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn default_cef() -> FormatWord {
    FormatWord(Format::Cef)
}
/// local4, which collectors of CEF commonly listen to.
fn default_facility() -> u8 {
    20
}

/// How syslog travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A datagram a message.
    Udp,
    /// Octet counting (RFC 6587).
    Tcp,
    /// The same through TLS (RFC 5425).
    Tls,
}

impl Transport {
    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        }
    }
}

/// `kind = "log-analytics"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogAnalyticsTarget {
    /// The ingestion endpoint of the data collection rule or endpoint.
    pub endpoint: String,
    /// The rule's immutable id.
    pub rule_id: String,
    /// The stream, `Custom-…`.
    pub stream: String,
    /// A token that somebody else keeps fresh.
    #[serde(default)]
    pub token: Option<SecretRef>,
    /// Tenant of the application.
    #[serde(default)]
    pub tenant_id: String,
    /// The application.
    #[serde(default)]
    pub client_id: String,
    /// Its secret.
    #[serde(default)]
    pub client_secret: Option<SecretRef>,
    /// Where tokens come from.
    #[serde(default = "default_login")]
    pub login: String,
    /// What the token is for.
    #[serde(default = "default_scope")]
    pub scope: String,
    /// The endpoint may lie on a private address (a private link), and be spoken to without TLS.
    #[serde(default)]
    pub allow_private: bool,
    /// PEM file with the authorities to trust instead of the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

fn default_login() -> String {
    "https://login.microsoftonline.com".to_owned()
}
fn default_scope() -> String {
    "https://monitor.azure.com/.default".to_owned()
}

/// `kind = "slack"` and `kind = "teams"`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatTarget {
    /// The webhook's address, which is a secret: by reference.
    pub url: SecretRef,
    /// The target may lie on a private address, and be spoken to without TLS.
    #[serde(default)]
    pub allow_private: bool,
}

impl TryFrom<toml::Table> for SinkSettings {
    type Error = String;

    fn try_from(table: toml::Table) -> Result<SinkSettings, String> {
        let name = table.get("name").and_then(toml::Value::as_str).unwrap_or("?").to_owned();
        let (mut common, mut target) = (toml::Table::new(), toml::Table::new());
        for (key, value) in table {
            let side = if COMMON.contains(&key.as_str()) { &mut common } else { &mut target };
            side.insert(key, value);
        }
        let told = |e: toml::de::Error| format!("sink `{name}`: {}", e.message());
        let common = Common::deserialize(common).map_err(told)?;
        let target = Target::deserialize(target).map_err(told)?;
        let settings = SinkSettings { common, target };
        settings.check().map_err(|why| format!("sink `{name}`: {why}"))?;
        Ok(settings)
    }
}

impl SinkSettings {
    /// The word of its kind.
    pub fn kind(&self) -> &'static str {
        match &self.target {
            Target::File(_) => "file",
            Target::Webhook(_) => "webhook",
            Target::Syslog(_) => "syslog",
            Target::LogAnalytics(_) => "log-analytics",
            Target::Slack(_) => "slack",
            Target::Teams(_) => "teams",
        }
    }
    /// Where it sends to, with nothing in it that would let anybody else send.
    pub fn place(&self) -> String {
        match &self.target {
            Target::File(t) => t.path.display().to_string(),
            Target::Webhook(t) => t.url.to_string(),
            Target::Syslog(t) => format!("{}:{}", t.transport.as_str(), t.address),
            Target::LogAnalytics(t) => super::secret::origin(&t.endpoint).to_owned(),
            Target::Slack(t) | Target::Teams(t) => t.url.to_string(),
        }
    }
    /// Alerts of one story that come soon after each other are told in one message.
    pub fn groups(&self) -> bool {
        matches!(self.target, Target::Slack(_) | Target::Teams(_))
    }
    /// It gets the daily digest.
    pub fn digest(&self) -> bool {
        let told = matches!(self.target, Target::Slack(_) | Target::Teams(_) | Target::Webhook(_));
        self.common.digest.unwrap_or(told)
    }

    fn check(&self) -> Result<(), String> {
        let name = &self.common.name;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
            return Err("a name has 1 to 40 of a-z, 0-9 and -".to_owned());
        }
        if self.common.max_tries == 0 || self.common.max_age_hours == 0 {
            return Err("`max_tries` and `max_age_hours` must be 1 or more".to_owned());
        }
        if !(1..=300).contains(&self.common.timeout_seconds) {
            return Err("`timeout_seconds` must be 1 to 300".to_owned());
        }
        match &self.target {
            Target::File(t) if t.rotate_bytes < 4096 => {
                Err("`rotate_bytes` must be 4096 or more".to_owned())
            }
            Target::Webhook(t) => match &t.url {
                Url::Plain(url) => check_url(url, t.allow_private),
                Url::Secret(_) => Ok(()),
            },
            Target::Syslog(t) => check_syslog(t),
            Target::LogAnalytics(t) => check_rows(t),
            _ => Ok(()),
        }
    }
}

fn check_syslog(t: &SyslogTarget) -> Result<(), String> {
    if t.facility > 23 {
        return Err("`facility` must be 0 to 23".to_owned());
    }
    let port = t.address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none_or(|port| port == 0) {
        return Err("`address` must be host:port".to_owned());
    }
    if t.hostname.len() > 255 || !t.hostname.chars().all(|c| c.is_ascii_graphic()) {
        return Err("`hostname` has at most 255 printable ASCII characters".to_owned());
    }
    if t.ca_file.is_some() && t.transport != Transport::Tls {
        return Err("`ca_file` needs transport = \"tls\"".to_owned());
    }
    Ok(())
}

fn check_rows(t: &LogAnalyticsTarget) -> Result<(), String> {
    let plain = |text: &str| {
        let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !text.is_empty() && text.len() <= 200 && text.chars().all(word)
    };
    if !plain(&t.rule_id) || !plain(&t.stream) {
        return Err("`rule_id` and `stream` are letters, digits, -, _ and .".to_owned());
    }
    if t.token.is_none()
        && !(plain(&t.tenant_id) && plain(&t.client_id) && t.client_secret.is_some())
    {
        return Err("give `token`, or `tenant_id`, `client_id` and `client_secret`".to_owned());
    }
    check_url(&t.endpoint, t.allow_private)?;
    check_url(&t.login, t.allow_private)
}

/// An address that a message may be sent to.
///
/// # Errors
/// In words that do not repeat it.
pub fn check_url(url: &str, allow_private: bool) -> Result<(), String> {
    let rest = match url.split_once("://") {
        Some(("https", rest)) => rest,
        Some(("http", rest)) if allow_private => rest,
        Some(("http", _)) => {
            return Err("an address must begin with https:// (http:// needs allow_private = true)"
                .to_owned());
        }
        _ => return Err("an address must begin with https://".to_owned()),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() {
        return Err("an address must name a host".to_owned());
    }
    if host.contains('@') {
        return Err("an address must not hold a user or a password".to_owned());
    }
    if !url.chars().all(|c| c.is_ascii_graphic()) {
        return Err("an address is printable ASCII".to_owned());
    }
    Ok(())
}

/// `[routes]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// False alerts a week that the whole fleet may push.
    pub false_alerts_per_week: f64,
    /// UTC hour of the daily digest.
    pub digest_hour: u32,
    /// Seconds that a chat message waits for more of the same story.
    pub group_wait_seconds: u32,
    /// Most alerts in one chat message.
    pub group_max: usize,
    /// Who gets what; none: every sink gets all.
    pub rules: Vec<Rule>,
}

impl Default for Routes {
    fn default() -> Routes {
        Routes {
            false_alerts_per_week: 5.0,
            digest_hour: 7,
            group_wait_seconds: 30,
            group_max: 20,
            rules: Vec::new(),
        }
    }
}

/// One of `[[routes.rules]]`. An alert goes to the sinks of every rule that it fits; an empty list
/// fits everything.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Names of sinks.
    pub sinks: Vec<String>,
    /// Tenant ids.
    #[serde(default)]
    pub tenants: Vec<String>,
    /// Subscription ids.
    #[serde(default)]
    pub subscriptions: Vec<String>,
    /// Account names, with * and ?.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Tags that must all have one of these values, with * and ?.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Owners.
    #[serde(default)]
    pub owners: Vec<String>,
    /// Words of criticality.
    #[serde(default)]
    pub criticality: Vec<String>,
    /// Least severity.
    #[serde(default)]
    pub min_severity: Option<SeverityWord>,
}

/// `[inventory]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InventorySettings {
    /// An export of the Azure Resource Graph, JSON or CSV; empty for none.
    pub file: PathBuf,
}

/// The first thing that does not fit together.
///
/// # Errors
/// Two sinks of one name, a rule that names none, or one that is not there.
pub fn check(sinks: &[SinkSettings], routes: &Routes) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for sink in sinks {
        if !names.insert(sink.common.name.as_str()) {
            return Err(format!("two sinks are called `{}`", sink.common.name));
        }
    }
    for (at, rule) in routes.rules.iter().enumerate() {
        let number = at + 1;
        if rule.sinks.is_empty() {
            return Err(format!("rule {number} names no sink"));
        }
        if let Some(unknown) = rule.sinks.iter().find(|name| !names.contains(name.as_str())) {
            return Err(format!("rule {number} names `{unknown}`, which is no sink"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
