//! Durable alert lines, and silences, go on to the sinks.
use super::writer::Listener;
use crate::alert::narrate::silence::{self as words, sentence};
use crate::alert::sinks::dispatch::Feed;
use crate::alert::sinks::notice::Silence;
use crate::alert::words::number;
use crate::fleet::silence::Change;
use crate::ids::AccountId;

/// Accounts that a message names; the rest is counted.
const NAMED_MAX: usize = 50;
/// The kind of the event: our own, and no claim about an attacker.
const ALERT_TYPE: &str = "Cosmoguard_LogSilence";

impl Listener for Feed {
    fn delivered(&mut self, number: u64, line: &[u8]) {
        self.deliver(number, line);
    }
    fn silence(&mut self, change: &Change) {
        Feed::silence(self, &message(change));
    }
}

fn message(change: &Change) -> Silence {
    let (alarm, status, at) = match change {
        Change::Raised(alarm) => (alarm, "Active", alarm.noticed),
        Change::Resolved(alarm, at) => (alarm, "Resolved", *at),
    };
    let names: Vec<String> = alarm.accounts.iter().map(AccountId::to_string).collect();
    let category = alarm.silent.category().map(|category| category.as_str());
    let said = sentence(&words::Silence {
        accounts: &names,
        category,
        since: &alarm.since.minutes_text(),
        per_day: alarm.per_day,
    });
    Silence {
        alert_type: ALERT_TYPE.to_owned(),
        severity: "Informational".to_owned(),
        status: status.to_owned(),
        scope: alarm.silent.scope().to_owned(),
        accounts_in_all: names.len() as u64,
        accounts: names.into_iter().take(NAMED_MAX).collect(),
        category: category.unwrap_or_default().to_owned(),
        since: alarm.since.to_string(),
        at: at.to_string(),
        tail_probability: number(alarm.p),
        nominal_per_day: number(alarm.per_day),
        description: if status == "Resolved" { format!("Logs are back. {said}") } else { said },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::formats::Format;
    use crate::alert::sinks::notice::Notice;
    use crate::alert::sinks::say;
    use crate::fleet::silence::{Alarm, Silent};
    use crate::time::Timestamp;

    #[test]
    fn a_silence_is_said_in_every_format() {
        let account = AccountId::parse("contoso");
        let alarm = Alarm {
            silent: Silent::Account(account.clone()),
            accounts: vec![account],
            since: Timestamp::of_day(20_000),
            noticed: Timestamp::of_day(20_001),
            p: 1e-5,
            per_day: 1e-3,
        };
        let back = Change::Resolved(alarm.clone(), Timestamp::of_day(20_002));
        for change in [Change::Raised(alarm), back] {
            let notice = Notice::silence(message(&change), Timestamp(0));
            for format in
                [Format::Defender, Format::Ocsf, Format::Ecs, Format::Cef, Format::SecurityAlert]
            {
                let said = say::message(&notice, format).unwrap();
                assert!(said.contains("No logs of contoso since"), "{said}");
                assert!(!said.contains('\n'));
            }
            let said = say::message(&notice, Format::Defender).unwrap();
            assert!(said.contains("Cosmoguard_LogSilence") && said.contains("Informational"));
        }
    }
}
