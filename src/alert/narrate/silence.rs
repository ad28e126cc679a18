//! What is said of logs that fell silent.
use crate::alert::words::{self, clean};

/// What is silent, as far as the sentence goes.
pub struct Silence<'a> {
    /// Accounts, the first by name first.
    pub accounts: &'a [String],
    /// Category, where it is one of an account.
    pub category: Option<&'a str>,
    /// Since when, for people.
    pub since: &'a str,
    /// How often an innocent stream is silent for so long, a day.
    pub per_day: f64,
}

/// `No logs of contoso-orders since 13 Nov 02:00; by its own rhythm that is once in 410 days.`
pub fn sentence(silence: &Silence<'_>) -> String {
    let rare = words::once_in(silence.per_day);
    let who = match (silence.accounts, silence.category) {
        ([], _) => "No logs at all".to_owned(),
        ([account], Some(category)) => format!("No {category} of {}", clean(account)),
        ([account], None) => format!("No logs of {}", clean(account)),
        (all, _) => format!("No logs of {} accounts that fell silent together", all.len()),
    };
    format!(
        "{who} since {}; by the rhythm so far a silence that long comes {rare}. Nothing is judged meanwhile: check the diagnostic setting and the path of the logs.",
        silence.since
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_and_since_when_is_said_and_names_are_harmless() {
        let say = |accounts: &[String], category| {
            sentence(&Silence { accounts, category, since: "13 Nov 02:00", per_day: 0.001 })
        };
        let one = ["a\u{202e}".to_owned()];
        assert!(say(&one, None).starts_with("No logs of a\\u{202e} since 13 Nov 02:00; "));
        assert!(
            say(&one, Some("QueryRuntimeStatistics")).starts_with("No QueryRuntimeStatistics of")
        );
        assert!(say(&[], None).starts_with("No logs at all since"));
        let many = ["a".to_owned(), "b".to_owned()];
        assert!(say(&many, None).contains("2 accounts that fell silent together"));
    }
}
