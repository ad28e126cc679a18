//! `suppress`, `expect`, `trust`, `verdict`, `audit`.
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{DataDir, time};
use crate::time::{DAY_MS, HOUR_MS, Timestamp};

/// Which alerts.
#[derive(Debug, Default, Args)]
pub struct Which {
    /// Kind of alert (CosmosDB_GeoAnomaly …); may be given several times, any of them.
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
    /// Account, * and ? as wildcards; all accounts of an alert must fit.
    #[arg(long, value_name = "PATTERN")]
    pub account: Option<String>,
    /// Principal, by object id or name, * and ? as wildcards.
    #[arg(long, value_name = "PATTERN")]
    pub principal: Option<String>,
    /// Caller's address or network (203.0.113.0/24); may be given several times.
    #[arg(long, value_name = "CIDR")]
    pub address: Vec<String>,
    /// Caller's country, two letters.
    #[arg(long, value_name = "CC")]
    pub country: Option<String>,
    /// Caller's AS number.
    #[arg(long, value_name = "N")]
    pub asn: Option<u32>,
    /// User agent, * and ? as wildcards; all agents of an alert must fit.
    #[arg(long, value_name = "PATTERN")]
    pub agent: Option<String>,
}

/// Why, and by whom.
#[derive(Debug, Args)]
pub struct Why {
    /// Why; asked for on a terminal if absent.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Who decides [default: the system's user].
    #[arg(long, value_name = "NAME")]
    pub author: Option<String>,
    /// Event time from which it works [default: after the newest record]. An earlier one is for
    /// replays of history.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<Timestamp>,
}

/// How long.
#[derive(Debug, Args)]
pub struct Until {
    /// Event time at which it ends.
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "lasting", required_unless_present = "lasting")]
    pub until: Option<Timestamp>,
    /// How long it lasts from its beginning (12h, 30d).
    #[arg(long = "for", id = "lasting", value_name = "DUR", value_parser = span)]
    pub lasting: Option<i64>,
}

/// `suppress`.
#[derive(Debug, Subcommand)]
pub enum Suppress {
    /// Make a rule; say what it would have silenced.
    Add(SuppressAdd),
    /// Rules in effect, with what they silenced in the last 90 days.
    List(DecisionList),
    /// End a rule.
    Remove(DecisionEnd),
    /// What a rule would have silenced of the alerts that are kept. Changes nothing.
    Simulate(SuppressSimulate),
}

/// `suppress add`.
#[derive(Debug, Args)]
pub struct SuppressAdd {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Only up to this severity: Low, Medium or High.
    #[arg(long, value_name = "SEVERITY")]
    pub up_to: Option<String>,
    /// How long.
    #[command(flatten)]
    pub until: Until,
    /// Why.
    #[command(flatten)]
    pub why: Why,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `suppress simulate`.
#[derive(Debug, Args)]
pub struct SuppressSimulate {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Only up to this severity: Low, Medium or High.
    #[arg(long, value_name = "SEVERITY")]
    pub up_to: Option<String>,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `… list`.
#[derive(Debug, Args)]
pub struct DecisionList {
    /// Those that have ended, too.
    #[arg(long)]
    pub all: bool,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `… remove`.
#[derive(Debug, Args)]
pub struct DecisionEnd {
    /// Its name, as `list` shows it (S12).
    pub id: String,
    /// Why.
    #[command(flatten)]
    pub why: Why,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `expect`.
#[derive(Debug, Subcommand)]
pub enum Expect {
    /// Announce work. Alerts that it covers are kept, marked and not notified; nothing is learnt of
    /// them.
    Add(ExpectAdd),
    /// What is announced.
    List(DecisionList),
    /// End it early.
    Remove(DecisionEnd),
    /// Learn the places of the alerts that it covered so far: a verdict `benign` on each of them that
    /// nobody judged. Nothing else teaches; undo with `verdict ID --undo`.
    Teach(DecisionEnd),
}

/// `expect add`.
#[derive(Debug, Args)]
pub struct ExpectAdd {
    /// Which.
    #[command(flatten)]
    pub which: Which,
    /// Volume is expected up to this much in the window that is judged (500MB, 2GB).
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub volume: Option<u64>,
    /// First event time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub start: Timestamp,
    /// Event time at which it is over.
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub end: Timestamp,
    /// Where it was announced.
    #[arg(long, value_name = "TEXT")]
    pub ticket: String,
    /// Why.
    #[command(flatten)]
    pub why: Why,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `trust`.
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// Trust a network: requests from it teach and are never tested as places.
    Add(TrustAdd),
    /// Networks that are trusted.
    List(DecisionList),
    /// Trust it no longer.
    Remove(DecisionEnd),
}

/// `trust add`.
#[derive(Debug, Args)]
pub struct TrustAdd {
    /// Address or network.
    pub network: String,
    /// How long.
    #[command(flatten)]
    pub until: Until,
    /// Why.
    #[command(flatten)]
    pub why: Why,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `verdict`.
#[derive(Debug, Args)]
pub struct Verdict {
    /// The alert's id, or its first digits.
    pub alert_id: String,
    /// benign-once, benign or malicious.
    #[arg(value_name = "VERDICT", required_unless_present = "undo", conflicts_with = "undo")]
    pub ruling: Option<String>,
    /// Take back what was said last.
    #[arg(long)]
    pub undo: bool,
    /// Why.
    #[command(flatten)]
    pub why: Why,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
    /// Configuration file (TOML), for what is shown of the model.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// `audit`.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// The entries, oldest first.
    Show(AuditShow),
    /// Check that no line was changed, taken out or put in.
    Verify(AuditVerify),
}

/// `audit show`.
#[derive(Debug, Args)]
pub struct AuditShow {
    /// Only the last ones.
    #[arg(long, value_name = "N")]
    pub last: Option<usize>,
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `audit verify`.
#[derive(Debug, Args)]
pub struct AuditVerify {
    /// Where.
    #[command(flatten)]
    pub data: DataDir,
}

/// `12h`, `30d` → milliseconds.
fn span(text: &str) -> Result<i64, String> {
    let wrong = || "not a span; write 12h or 30d".to_owned();
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).filter(|ms| *ms > 0).ok_or_else(wrong)
}

/// `500MB`, `2GB` → bytes, in thousands as everywhere.
fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "not a volume; write 500MB or 2GB".to_owned();
    let text = text.trim();
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let unit = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_volumes_are_read_or_refused() {
        assert_eq!((span("12h"), span("30d")), (Ok(12 * HOUR_MS), Ok(30 * DAY_MS)));
        assert_eq!(
            (bytes("2GB"), bytes("500 mb"), bytes("7")),
            (Ok(2_000_000_000), Ok(500_000_000), Ok(7))
        );
        for bad in ["", "0d", "30", "d", "-1d", "99999999999999999d", "1w"] {
            assert!(span(bad).is_err(), "{bad}");
        }
        for bad in ["", "GB", "-1", "1PB", "99999999999999999999"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
    }
}
