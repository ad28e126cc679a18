//! `cosmoguard simulate`.
use std::sync::Arc;

use anyhow::{Context as _, bail};

use super::Exit;
use super::args::{ColorChoice, Simulate};
use super::progress::{Progress, rate};
use super::style::{Ui, say};
use crate::simulate::{self, FleetOptions};
use crate::time::{Clock, SystemClock, Timestamp};

/// Runs it.
pub fn run(args: &Simulate, color: ColorChoice) -> anyhow::Result<Exit> {
    let occupied = std::fs::read_dir(&args.out).is_ok_and(|mut d| d.next().is_some());
    if occupied {
        bail!("{} is not empty; name a new folder", args.out.display());
    }
    if args.accounts == 0 || args.days == 0 || !args.rate.is_finite() || args.rate <= 0.0 {
        return Err(crate::config::ConfigError(
            "--accounts, --days and --rate must be above zero".to_owned(),
        )
        .into());
    }
    let options = FleetOptions {
        accounts: args.accounts,
        days: args.days,
        benign_only: args.benign_only,
        query_text: !args.no_query_text,
        rate: args.rate,
        seed: args.seed,
        ..FleetOptions::default()
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut progress =
        Progress::start(Ui::stderr(color), "simulate", args.quiet, Arc::clone(&clock));
    let fleet = simulate::plan(options);
    let summary = simulate::write_azure(&fleet, &args.out, |records, share| {
        progress.update((share * 1000.0) as u64, 1000, records, Timestamp::MIN, "");
    })
    .with_context(|| format!("cannot write {}", args.out.display()))?;
    let elapsed = progress.finish();
    if !args.quiet {
        say(&format!(
            "seed {}: {} records of {} accounts in {} files with labels.json, {}/s",
            args.seed,
            summary.records(),
            args.accounts,
            summary.files,
            rate(summary.records(), elapsed)
        ));
        let out = args.out.display();
        say(&format!(
            "next: cosmoguard replay {out} --tor-exits {out}/tor-exits.txt --threat-ips {out}/threat-ips.txt"
        ));
    }
    Ok(Exit::Done)
}
