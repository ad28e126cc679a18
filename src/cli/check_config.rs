//! `cosmoguard check-config`.
use anyhow::anyhow;
use serde_json::json;

use super::Exit;
use super::args::CheckConfig;
use super::common::{self, Lists};
use super::style::{out, visible};
use crate::alert::sinks::inventory::Inventory;
use crate::alert::sinks::to;
use crate::config::{Origin, Resolved};
use crate::profile::SeverityMode;
use crate::severity;

/// Runs it.
pub fn run(args: &CheckConfig) -> anyhow::Result<Exit> {
    let resolved = common::configuration(args.config.as_deref())?;
    // What `replay` would refuse is refused here: lists, databases, networks.
    let lists =
        Lists::new(&resolved.config.intel, &[], &[]).and_kept(&resolved.config.intel, None)?;
    common::intel_view(&resolved.config, &lists, &[])?;
    Inventory::read(&resolved.config.inventory.file)?;
    for sink in &resolved.config.sinks {
        let name = &sink.common.name;
        to::build(sink, None, 1).map_err(|why| anyhow!("sink `{name}`: {why}"))?;
    }
    let days = f64::from(args.accounts) * 7.0;
    let [low, medium, high] =
        severity::expected_false_alerts(&resolved.config.profile.severity, days);
    if args.json {
        let values: serde_json::Map<String, serde_json::Value> = resolved
            .values
            .iter()
            .map(|(key, value, origin)| {
                (key.clone(), json!({"value": value, "source": origin.to_string()}))
            })
            .collect();
        let expected =
            json!({"accounts": args.accounts, "high": high, "medium": medium, "low": low});
        out(&json!({"values": values, "expected_false_alerts_a_week": expected}).to_string());
        return Ok(Exit::Done);
    }
    lines(&resolved, true).iter().for_each(|line| out(line));
    out(&format!(
        "\n# Unmarked values are shipped ones. On {} mature accounts innocent life brings at most\n# {high:.2} High, {medium:.1} Medium and {low:.1} Low alerts a week.",
        args.accounts
    ));
    if !resolved.config.sinks.is_empty() {
        let most = resolved.config.routes.false_alerts_per_week.min(low);
        out(&format!(
            "# At most {most:.1} of them a week are pushed to sinks at once, besides what is High by rule."
        ));
    }
    if resolved.config.profile.severity.mode != SeverityMode::Budget {
        out("# By budget, that is: the severities printed are the published ones.");
    }
    Ok(Exit::Done)
}

/// The resolved settings as TOML, line by line; `origins`: with where they come from.
pub fn lines(resolved: &Resolved, origins: bool) -> Vec<String> {
    let (mut lines, mut section) = (Vec::new(), String::new());
    for (key, value, origin) in &resolved.values {
        let (head, name) = key.rsplit_once('.').unwrap_or(("", key));
        if head != section {
            lines.push(format!("\n[{head}]"));
            head.clone_into(&mut section);
        }
        let line = format!("{name} = {}", visible(value));
        let shipped = !origins || *origin == Origin::Default;
        lines.push(if shipped { line } else { format!("{line}    # {origin}") });
    }
    lines
}
