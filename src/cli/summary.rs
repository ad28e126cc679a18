//! The summary at the end of a run.
use std::path::Path;

use super::progress::rate;
use super::style::{Role, Ui, say, visible};
use crate::alert::formats::Format;
use crate::alert::words;
use crate::detect::Severity;
use crate::inquiry::fleet::{self, Fleet};
use crate::profile::{Profile, SeverityMode};
use crate::replay::session::Report;
use crate::replay::summary::Counts;
use crate::severity;
use crate::source::RefusedSummary;
use crate::store::StateStore;
use crate::time::DAY_MS;

/// Accounts named that did not learn something.
const UNTAUGHT_SHOWN: usize = 8;

/// What is shown.
pub struct Shown<'a> {
    /// The run.
    pub report: &'a Report,
    /// How long it took.
    pub elapsed_ms: u64,
    /// What was refused.
    pub refused: &'a RefusedSummary,
    /// Where alert lines went.
    pub alerts: Option<&'a Path>,
    /// Shape of the alert lines.
    pub format: Format,
    /// Where models are kept.
    pub data_dir: Option<&'a Path>,
    /// Settings.
    pub profile: &'a Profile,
}

/// `4M 22L`: alerts by severity, for the bar.
pub fn alert_letters(counts: &Counts) -> String {
    let letters = [(Severity::High, 'H'), (Severity::Medium, 'M'), (Severity::Low, 'L')];
    let parts: Vec<String> = letters
        .iter()
        .map(|(s, letter)| (counts.alerts_of(*s).iter().sum::<u64>(), letter))
        .filter(|(n, _)| *n > 0)
        .map(|(n, letter)| format!("{n}{letter}"))
        .collect();
    parts.join(" ")
}

/// Prints it to standard error.
pub fn print(ui: Ui, shown: &Shown<'_>, store: &dyn StateStore) -> anyhow::Result<()> {
    let fleet = fleet::load(store, shown.profile)?;
    headline(ui, shown);
    alerts_table(ui, shown);
    accounts(ui, shown, &fleet);
    untaught(ui, &fleet);
    records(shown);
    footer(ui, shown);
    Ok(())
}

fn headline(ui: Ui, shown: &Shown<'_>) {
    let counts = &shown.report.counts;
    let span = counts.span.map_or_else(
        || "no events".to_owned(),
        |(first, last)| {
            let days = last.since(first) as f64 / DAY_MS as f64;
            format!(
                "{}, {} to {}",
                words::days(days),
                &first.minutes_text()[..10],
                &last.minutes_text()[..10]
            )
        },
    );
    let read = format!(
        "{} records in {:.1} s, {}/s",
        words::count(counts.records() as f64),
        shown.elapsed_ms as f64 / 1000.0,
        rate(counts.records(), shown.elapsed_ms)
    );
    say(&format!("{}    {read}\n", ui.paint(Role::Strong, &format!("replayed {span}"))));
}

fn alerts_table(ui: Ui, shown: &Shown<'_>) {
    let counts = &shown.report.counts;
    let [low, medium, high] =
        severity::expected_false_alerts(&shown.profile.severity, counts.account_days as f64);
    let published = shown.profile.severity.mode != SeverityMode::Budget;
    let bound =
        if published { "by budget, at most          " } else { "innocent life brings at most" };
    say(&format!("  severity   alerts   {bound}   basis"));
    let rows = [
        (Severity::High, Role::High, high),
        (Severity::Medium, Role::Medium, medium),
        (Severity::Low, Role::Low, low),
    ];
    for (severity, role, at_most) in rows {
        let [measured, rule] = counts.alerts_of(severity);
        let basis = match (measured, rule) {
            (_, 0) => "measured".to_owned(),
            (0, _) => "by rule".to_owned(),
            (m, r) => format!("{m} measured, {r} by rule"),
        };
        let word = ui.paint(role, &format!("{:<8}", severity.as_str()));
        say(&format!("  {word}   {:>6}   {at_most:>28.1}   {basis}", measured + rule));
    }
    say("");
}

fn accounts(ui: Ui, shown: &Shown<'_>, fleet: &Fleet) {
    let states = fleet.states();
    say(&format!("  accounts    {}: {states}", fleet.members.len()));
    let blind: Vec<String> = fleet.blind();
    if !blind.is_empty() {
        // Without a data directory there are no models to look at later.
        let hint = shown.data_dir.map_or_else(String::new, |dir| {
            format!("    cosmoguard model coverage --data-dir {}", dir.display())
        });
        say(&format!("  not sent    {}{}", blind.join(", "), ui.paint(Role::Dim, &hint)));
    }
    let (hours, accounts) = fleet.gaps();
    if hours > 0 {
        say(&format!(
            "  gaps        {hours} h on {accounts} accounts, taken as unknown, not as zero"
        ));
    }
}

/// What the stream went on without.
fn untaught(ui: Ui, fleet: &Fleet) {
    for (account, untaught) in fleet.untaught.iter().take(UNTAUGHT_SHOWN) {
        for line in untaught.lines() {
            let head = ui.paint(Role::Medium, "not learnt");
            say(&format!("  {head}  {}, {line}", visible(&account.to_string())));
        }
    }
    if let Some(more) = fleet.untaught.len().checked_sub(UNTAUGHT_SHOWN).filter(|n| *n > 0) {
        say(&format!("  not learnt  … by {more} more accounts"));
    }
}

fn records(shown: &Shown<'_>) {
    let counts = &shown.report.counts;
    let total = shown.refused.total();
    if total > 0 {
        let reasons: Vec<String> =
            shown.refused.by_reason.iter().map(|(r, n)| format!("{n} {}", r.as_str())).collect();
        let file = shown
            .refused
            .file
            .as_ref()
            .map_or_else(String::new, |f| format!("    {}", f.display()));
        let kept = shown.refused.kept;
        let of = if kept < total { format!(", the first {kept} kept") } else { String::new() };
        say(&format!("  refused     {total} records: {}{of}{file}", reasons.join(", ")));
    }
    if let Some(trouble) = &shown.refused.trouble {
        say(&format!(
            "  warning     refused records are counted but not kept: {}",
            visible(trouble)
        ));
    }
    let mut set_aside = Vec::new();
    let mut note = |n: u64, what: &str| {
        if n > 0 {
            set_aside.push(format!("{} {what}", words::count(n as f64)));
        }
    };
    note(counts.duplicates, "copies");
    note(counts.applied_before, "applied by an earlier run");
    note(counts.late, "late, which teach little and are judged apart");
    note(counts.outside_span, "outside --from and --until");
    note(counts.other_resources, "of other resources");
    note(counts.raw_query_texts, "query texts kept raw");
    note(shown.report.router.dead_letters, "dead letters");
    for (name, n) in &counts.unknown_categories {
        note(*n, &format!("of the unknown category {}", visible(name)));
    }
    if !set_aside.is_empty() {
        say(&format!("  set aside   {}", set_aside.join(", ")));
    }
}

fn footer(ui: Ui, shown: &Shown<'_>) {
    let lines = shown.report.counts.alert_lines;
    say("");
    if let Some(path) = shown.alerts {
        let next = shown.report.counts.first_to_read().map_or_else(String::new, |id| {
            format!("    cosmoguard explain {}", &id.to_string()[..8])
        });
        let at = match shown.data_dir {
            _ if next.is_empty() => String::new(),
            Some(dir) => format!(" --data-dir {}", dir.display()),
            None if path == Path::new("alerts.jsonl") => String::new(),
            None => format!(" --alerts {}", path.display()),
        };
        // Other shapes are for other programs: `explain` reads the store or Defender's.
        let told = shown.data_dir.is_some() || shown.format == Format::Defender;
        let (next, at) = if told { (next, at) } else { Default::default() };
        say(&format!(
            "  {}, {lines} lines{}",
            path.display(),
            ui.paint(Role::Dim, &format!("{next}{at}"))
        ));
    }
    if let Some(dir) = shown.data_dir {
        say(&format!(
            "  models in {}{}",
            dir.display(),
            ui.paint(Role::Dim, &format!("    cosmoguard model list --data-dir {}", dir.display()))
        ));
    }
}

/// The line on a store that was written anew.
pub fn compacted(sizes: &crate::store::compact::Compacted) -> String {
    let bytes = |n: u64| words::bytes(n as f64);
    format!(
        "  state written anew: {} of {} on disk, {} in use",
        bytes(sizes.after),
        bytes(sizes.before),
        bytes(sizes.live)
    )
}
