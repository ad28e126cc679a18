//! The command line. Doc comments are the help text.
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::time::Timestamp;

mod decide;
mod evidence;
mod intel;
mod query;
mod rebuild;
mod report;
mod serve;
mod sink;
mod snapshot;
mod token;

pub use decide::*;
pub use evidence::*;
pub use intel::*;
pub use query::*;
pub use rebuild::*;
pub use report::*;
pub use serve::*;
pub use sink::*;
pub use snapshot::*;
pub use token::*;

/// Threat detection for Azure Cosmos DB from the logs that Azure already emits.
///
/// Point `replay` at a folder of Azure logs: it learns what is normal for each account and writes
/// alerts in Microsoft Defender's shape, each explained in the account's own numbers. Start with
///
///   cosmoguard replay --demo
///   cosmoguard replay ./my-logs --alerts alerts.jsonl --data-dir ./guard
///   cosmoguard explain 7f3a91c2
#[derive(Debug, Parser)]
#[command(
    name = "cosmoguard",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    verbatim_doc_comment
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Colours: auto, always or never (NO_COLOR and CLICOLOR_FORCE are honoured).
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, hide_possible_values = true)]
    pub color: ColorChoice,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run history through the detectors: learn, judge, write alerts.
    Replay(Replay),
    /// Look at learned models.
    #[command(subcommand)]
    Model(Model),
    /// Tell the story of one alert: what happened, what is normal, how rare, what to do.
    Explain(Explain),
    /// Why an account was silent at a time: each detector's rarest p-value and what it lacked.
    #[command(name = "why-not")]
    WhyNot(WhyNot),
    /// Feeds and address data.
    #[command(subcommand)]
    Intel(Intel),
    /// Print the resolved configuration with the source of each value.
    #[command(name = "check-config")]
    CheckConfig(CheckConfig),
    /// Write a labelled fleet of made-up logs in Azure's own layout.
    Simulate(Simulate),
    /// Run as a service: read logs while they are written, alert within seconds.
    ///
    /// Folders are followed (--watch), batches that are handed over are taken from the inbox. An attack
    /// alerts within seconds of its record; the verdict is confirmed, or refined by a revision, when its
    /// ten minutes are over. Everything is kept in the data directory: a service that is stopped or
    /// killed goes on where it was.
    ///
    ///   cosmoguard serve --demo
    ///   cosmoguard serve --watch ./logs --data-dir guard --warm-up ./last-month
    #[command(verbatim_doc_comment)]
    Serve(Serve),
    /// Portable snapshots of all that was learnt: make, look at, compare, verify, restore.
    #[command(subcommand)]
    Snapshot(Snapshot),
    /// Pack what an alert rests on into a folder for an incident file, or check such a folder.
    ///
    /// The folder holds every revision of the alert, the records it rests on (redacted, each with
    /// file, offset, length and SHA-256), the account's model before, list entries, settings,
    /// versions, the commands that bring it about once more, and checksums of all that:
    ///
    ///   cosmoguard evidence 7f3a91c2 incident-17 --data-dir guard
    ///   cosmoguard evidence verify incident-17
    ///   cosmoguard evidence 7f3a91c2 raw-17 --data-dir guard --raw --source /archive/logs
    #[command(verbatim_doc_comment)]
    Evidence(Evidence),
    /// Who may ask the service over HTTP.
    #[command(subcommand)]
    Token(Token),
    /// Report over a span, for people who answer for it: a page and tables for a spreadsheet.
    ///
    /// Alerts and what became of them, time to detect and to close, promised and observed false
    /// alarms, what could not be seen, what is silenced and by whom, gaps and repairs:
    ///
    ///   cosmoguard report --from 2026-10-01 --to 2026-11-01 --data-dir guard --out october
    #[command(verbatim_doc_comment)]
    Report(Report),
    /// Score alerts against labels (comes later).
    #[command(hide = true)]
    Evaluate(Later),
    /// Compare two configurations on history (comes later).
    #[command(hide = true)]
    Backtest(Later),
    /// One marked alert of every kind: as lines, or through every sink.
    ///
    ///   cosmoguard sample-alerts --format ocsf
    ///   cosmoguard sample-alerts --send --config cosmoguard.toml
    #[command(name = "sample-alerts", verbatim_doc_comment)]
    SampleAlerts(SampleAlerts),
    /// Where alerts are sent: list, try out, send again.
    #[command(subcommand)]
    Sink(Sink),
    /// What people changed and decided by hand: show it, or check that it was not altered.
    #[command(subcommand)]
    Audit(Audit),
    /// Rules that silence alerts: kept and counted, and nobody is notified.
    #[command(subcommand)]
    Suppress(Suppress),
    /// What is announced: work by a principal, from a place, or a volume, on a ticket.
    #[command(subcommand)]
    Expect(Expect),
    /// Networks that are ours for a time.
    #[command(subcommand)]
    Trust(Trust),
    /// Say what an alert was; take it back with --undo.
    ///
    /// benign-once dismisses this alert and changes nothing else. benign lets the account learn what
    /// was held back of it, and what is like it is expected from now on. malicious keeps it out of
    /// what the account learns. Alerts of places teach; of other kinds nothing is held back.
    ///
    ///   cosmoguard verdict 7f3a91c2 benign --reason "new office, CHG-12" --data-dir guard
    ///   cosmoguard verdict 7f3a91c2 --undo --reason "wrong alert" --data-dir guard
    #[command(verbatim_doc_comment)]
    Verdict(Verdict),
    /// Judge the text of queries, without any account's history.
    ///
    /// Reads queries of Cosmos DB for NoSQL, one a line, and prints a JSON line for each:
    ///
    ///   parses     whether the service's language has it
    ///   error      if not: byte, line, column and reason
    ///   shape      hash of the query with its literals blanked; skeleton is what stands before the filter
    ///   template   the same as text: literals as #, '…', bool
    ///   evidence   what injections have and programs rarely write: name, bytes, and how rarely
    ///              innocent new queries have it
    ///   hints      what programs write, too, and says little by itself
    ///
    /// Nothing that is printed holds a literal. A line is a query as it stands, a JSON string, or an
    /// object with `query`, as Azure logs it.
    ///
    ///   echo "SELECT * FROM c WHERE c.name = '' OR 1=1 --'" | cosmoguard query -
    ///   cosmoguard query queries.txt --template "SELECT * FROM c WHERE c.name = 'x'"
    #[command(verbatim_doc_comment)]
    Query(Query),
}

/// A subcommand of a later version: accepts anything, does nothing.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Later {
    /// Whatever was given.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<String>,
}

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Files, folders of any depth (the Azure blob layout included), or - for standard input. .gz and .zst are read.
    #[arg(value_name = "PATH", required_unless_present = "demo", conflicts_with = "demo")]
    pub paths: Vec<PathBuf>,
    /// A built-in made-up fleet with attacks of all eight kinds.
    #[arg(long)]
    pub demo: bool,
    /// Keep learned models here and go on from them; without it a temporary store leaves nothing.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where alert lines go; - is standard output [default: alerts.jsonl, in the data directory if one is given].
    #[arg(long, value_name = "FILE|-")]
    pub alerts: Option<PathBuf>,
    /// Shape of the alert lines: defender, ocsf, ecs, cef or securityalert.
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<String>,
    /// A list of Tor exits (bulk list, exit-addresses or Onionoo); may be given several times.
    #[arg(long, value_name = "FILE")]
    pub tor_exits: Vec<PathBuf>,
    /// A threat list (plain, netset, abuse.ch CSV, Spamhaus DROP or STIX 2.1); may be given several times.
    #[arg(long, value_name = "FILE")]
    pub threat_ips: Vec<PathBuf>,
    /// Skip records before this time (2026-11-01, 2026-11-01T12:00Z).
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
    /// Skip records at or after this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Timestamp>,
    /// Learn only, without alerts, before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub alerts_from: Option<Timestamp>,
    /// How late a record may come and still count in its place (15m, 2h).
    #[arg(long, value_name = "DUR", value_parser = minutes)]
    pub lateness: Option<i64>,
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Threads for decoding and for accounts; changes speed, never results.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,
    /// No progress and no summary.
    #[arg(long)]
    pub quiet: bool,
}

/// `model`.
#[derive(Debug, Subcommand)]
pub enum Model {
    /// All accounts: state, age, bytes.
    List(ModelList),
    /// One account's learned normal, facet by facet.
    Show(ModelShow),
    /// Which log categories accounts send, and which detectors that leaves blind.
    Coverage(ModelCoverage),
    /// Take a span of time, or a principal, out of what an account learnt.
    ///
    /// The model is built again from the newest snapshot before the span (in `snapshots/` of the data
    /// directory), or from nothing if there is none, and from the logs since, without the named part.
    /// A principal may have acted at any time, so without --snapshot it takes all logs from the first
    /// one. Then it says what changed, asks, and keeps a line in audit.jsonl.
    ///
    /// Only this account's model changes, its hours and its word to the population. Alerts stay as they
    /// were raised, and so does what the tenant as a whole knows of a principal: its key operations
    /// across accounts and the directory of principals. Priors that were published stay too.
    ///
    ///   cosmoguard model forget contoso --from 2026-11-13 --until 2026-11-14 \
    ///     --logs ./my-logs --data-dir guard
    ///   cosmoguard model forget contoso --principal ann@contoso.example --logs ./my-logs --data-dir guard
    #[command(verbatim_doc_comment)]
    Forget(ModelForget),
}

/// Where the data is.
#[derive(Debug, Args)]
pub struct DataDir {
    /// Data directory of an earlier `replay --data-dir`.
    #[arg(long, value_name = "DIR", env = "COSMOGUARD_STORE__DATA_DIR")]
    pub data_dir: PathBuf,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `model list`.
#[derive(Debug, Args)]
pub struct ModelList {
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `model show`.
#[derive(Debug, Args)]
pub struct ModelShow {
    /// Account name.
    pub account: String,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `model coverage`.
#[derive(Debug, Args)]
pub struct ModelCoverage {
    /// Account name; all if absent.
    pub account: Option<String>,
    /// Configuration file (TOML); its inventory says which accounts never logged.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The alert's id, or its first digits.
    pub alert_id: String,
    /// Alert file to look in [default: alerts.jsonl, unless a data directory is named].
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
    /// Data directory to look in.
    #[arg(long, value_name = "DIR", env = "COSMOGUARD_STORE__DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// The alert's JSON instead of its story.
    #[arg(long)]
    pub json: bool,
}

/// `why-not`.
#[derive(Debug, Args)]
pub struct WhyNot {
    /// Account name.
    pub account: String,
    /// The time asked about (2026-11-13T03:00Z).
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub at: Timestamp,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `check-config`.
#[derive(Debug, Args)]
pub struct CheckConfig {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Accounts of the fleet, for the expected false alerts a week.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub accounts: u32,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `simulate`.
#[derive(Debug, Args)]
pub struct Simulate {
    /// Folder to write; must not exist or be empty.
    pub out: PathBuf,
    /// Everything is drawn from this.
    #[arg(long)]
    pub seed: u64,
    /// Accounts.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub accounts: usize,
    /// Days.
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub days: u32,
    /// No attacks.
    #[arg(long)]
    pub benign_only: bool,
    /// No logs of query text.
    #[arg(long)]
    pub no_query_text: bool,
    /// Mean requests a day of the median account.
    #[arg(long, value_name = "N", default_value_t = 1000.0)]
    pub rate: f64,
    /// No progress and no summary.
    #[arg(long)]
    pub quiet: bool,
}

fn time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .ok_or_else(|| "not a time; write 2026-11-13 or 2026-11-13T03:00Z (UTC)".to_owned())
}

/// `15m`, `2h`, `1d` → minutes.
fn minutes(text: &str) -> Result<i64, String> {
    let wrong = || "not a duration; write 15m, 2h or 1d".to_owned();
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    let factor = match unit {
        "m" | "min" => 1,
        "h" => 60,
        "d" => 1440,
        _ => return Err(wrong()),
    };
    Some(number.saturating_mul(factor))
        .filter(|m| *m <= 2 * 1440)
        .ok_or_else(|| "at most 2d of lateness: Azure delivers nothing later".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_and_times_are_read_or_refused_with_a_hint() {
        assert_eq!(minutes("15m"), Ok(15));
        assert_eq!(minutes("2h"), Ok(120));
        assert!(minutes("3d").unwrap_err().contains("at most"));
        assert!(minutes("soon").unwrap_err().contains("15m"));
        assert!(time("tomorrow").is_err());
    }
}
