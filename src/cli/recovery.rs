//! What a person is told when damaged state was opened.
use super::style::{Role, Ui, say, visible};
use super::table::{Align, Table};
use crate::store::recovery::{AccountLoss, Fate, Recovery, Rung};
use crate::time::Timestamp;

/// Accounts shown; all are in the file.
const SHOWN_MAX: usize = 12;

/// Prints a report on standard error.
pub fn print(ui: Ui, report: &Recovery) {
    let head = if report.is_gone { "state is gone:" } else { "state was damaged:" };
    say(&format!("{} {}", ui.paint(Role::Medium, head), what(report)));
    for why in &report.why {
        say(&format!("  because   {}", visible(why)));
    }
    for path in &report.set_aside {
        say(&format!("  kept      {}", visible(&path.display().to_string())));
    }
    for note in &report.notes {
        say(&format!("  note      {}", visible(note)));
    }
    if let Some(accounts) = report.accounts_unnamed {
        say(&format!("  lost      {accounts} accounts, whose names cannot be read any more"));
    }
    accounts(&report.accounts);
    say(&format!("  next      {}; all of this is in recovery.jsonl", next(report)));
}

/// What was done, in a line.
fn what(report: &Recovery) -> String {
    match &report.rung {
        Rung::Kept => "it is kept, with what follows".to_owned(),
        Rung::Rebuilt => "its index was built again from its pages".to_owned(),
        Rung::Snapshot { name } => {
            format!("snapshot {} took its place", visible(name))
        }
        Rung::Empty if report.is_gone => {
            "there is no good snapshot of it, everything is learnt again".to_owned()
        }
        Rung::Empty => "nothing of it could be kept, everything is learnt again".to_owned(),
    }
}

fn next(report: &Recovery) -> String {
    match (&report.rung, report.reaches) {
        (Rung::Empty, _) => "replay all logs from the first one".to_owned(),
        (_, Some(reaches)) if reaches > Timestamp::MIN => {
            format!(
                "replay the logs from {} on: what is applied is skipped",
                reaches.minutes_text()
            )
        }
        _ => "nothing has to be done".to_owned(),
    }
}

fn accounts(losses: &[AccountLoss]) {
    if losses.is_empty() {
        return;
    }
    let mut table = Table::new(&[
        ("account", Align::Left),
        ("model", Align::Left),
        ("missing since", Align::Left),
        ("until", Align::Left),
    ]);
    for loss in losses.iter().take(SHOWN_MAX) {
        let name = loss.account.strip_prefix("public/").unwrap_or(&loss.account);
        let fate = match loss.fate {
            Fate::Older => "an older one",
            Fate::Afresh => "learns afresh",
        };
        table.row(vec![
            visible(name),
            fate.to_owned(),
            loss.since.map_or("its first record".to_owned(), |t| t.minutes_text()),
            loss.until.map_or("read again".to_owned(), |t| t.minutes_text()),
        ]);
    }
    table.lines().iter().for_each(|line| say(&format!("  {line}")));
    if losses.len() > SHOWN_MAX {
        say(&format!("  … and {} more", losses.len() - SHOWN_MAX));
    }
}
