//! `token …`.
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `token`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token and print it, once; only its hash is kept.
    ///
    ///   cosmoguard token create ann --role analyst --expires 90d --data-dir guard
    ///   cosmoguard token create team-a --role reader --accounts 'contoso-*' --data-dir guard
    ///   cosmoguard token create shipper --role sender --data-dir guard
    #[command(verbatim_doc_comment)]
    Create(TokenCreate),
    /// All tokens: name, role, accounts, expiry.
    List(TokenList),
    /// Take a token back, at once.
    Revoke(TokenRevoke),
}

/// Where tokens are kept.
#[derive(Debug, Args)]
pub struct TokenPlace {
    /// Data directory of the service.
    #[arg(long, value_name = "DIR", env = "COSMOGUARD_STORE__DATA_DIR")]
    pub data_dir: PathBuf,
}

/// `token create`.
#[derive(Debug, Args)]
pub struct TokenCreate {
    /// Who holds it.
    pub name: String,
    /// sender hands over records; reader reads; analyst decides on alerts, too; admin does all.
    #[arg(long, value_parser = ["sender", "reader", "analyst", "admin"])]
    pub role: String,
    /// For how long (90d, 12h); without it until it is revoked.
    #[arg(long, value_name = "DUR", value_parser = lifetime)]
    pub expires: Option<i64>,
    /// Only these accounts: names with * for any text, commas between; `china/name` outside the public cloud.
    #[arg(long, value_name = "PATTERN,...", value_delimiter = ',')]
    pub accounts: Vec<String>,
    /// Where.
    #[command(flatten)]
    pub place: TokenPlace,
}

/// `token list`.
#[derive(Debug, Args)]
pub struct TokenList {
    /// Where.
    #[command(flatten)]
    pub place: TokenPlace,
    /// JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// `token revoke`.
#[derive(Debug, Args)]
pub struct TokenRevoke {
    /// Its name.
    pub name: String,
    /// Where.
    #[command(flatten)]
    pub place: TokenPlace,
}

/// Longest life of a token that ends, days.
const DAYS_MAX: i64 = 3660;

/// `90d`, `12h` → milliseconds.
fn lifetime(text: &str) -> Result<i64, String> {
    let wrong = || "not a duration; write 12h or 90d".to_owned();
    let digits = text.trim_end_matches(['h', 'd']);
    let number: i64 = digits.parse().map_err(|_| wrong())?;
    let hours = match text.get(digits.len()..) {
        Some("h") => number,
        Some("d") => number.saturating_mul(24),
        _ => return Err(wrong()),
    };
    if !(1..=DAYS_MAX * 24).contains(&hours) {
        return Err(format!("from 1h to {DAYS_MAX}d"));
    }
    Ok(hours * crate::time::HOUR_MS)
}
