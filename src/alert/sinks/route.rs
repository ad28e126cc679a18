//! Which sinks an alert goes to, by what the log and the inventory say of its account.
use std::collections::BTreeSet;

use super::inventory::{Entry, Inventory};
use super::line::Line;
use super::settings::Rule;

/// Names of the sinks of every rule that the alert fits. `None`: there are no rules, and all sinks
/// get it.
pub fn sinks<'a>(
    rules: &'a [Rule],
    line: &Line,
    inventory: &Inventory,
) -> Option<BTreeSet<&'a str>> {
    if rules.is_empty() {
        return None;
    }
    // A sweep names several accounts: a rule about one of them is meant, too.
    let mut accounts: Vec<&str> = line.resources().map(|(name, _)| name).collect();
    accounts.push(line.account());
    let fits = |rule: &&Rule| accounts.iter().any(|name| fits(rule, line, name, inventory));
    let names = rules.iter().filter(fits).flat_map(|rule| rule.sinks.iter().map(String::as_str));
    Some(names.collect())
}

fn fits(rule: &Rule, line: &Line, account: &str, inventory: &Inventory) -> bool {
    let unknown = Entry::default();
    let entry = inventory.get(account).unwrap_or(&unknown);
    let subscription = match entry.subscription.as_str() {
        "" => line.subscription(),
        of_inventory => of_inventory,
    };
    let tagged = |(key, pattern): (&String, &String)| {
        let tag = entry.tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(key));
        tag.is_some_and(|(_, value)| matches(pattern, value))
    };
    rule.min_severity.is_none_or(|least| line.severity() >= least.0)
        && any(&rule.tenants, &entry.tenant)
        && any(&rule.subscriptions, subscription)
        && any(&rule.accounts, account)
        && any(&rule.owners, &entry.owner)
        && any(&rule.criticality, &entry.criticality)
        && rule.tags.iter().all(tagged)
}

/// One of the patterns fits, or there are none.
fn any(patterns: &[String], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, text))
}

/// `*` is any text, `?` one character; case does not matter. Linear in both: the last `*` is the
/// only place that it goes back to.
fn matches(pattern: &str, text: &str) -> bool {
    let fold = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<char>>();
    let (pattern, text) = (fold(pattern), fold(text));
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, from)) => {
                    (p, t) = (at + 1, from + 1);
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::super::line::testing::made;
    use super::super::settings::SeverityWord;
    use super::*;
    use crate::detect::Severity;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, text, fit) in [
            ("contoso-*", "Contoso-Orders", true),
            ("*", "", true),
            ("?", "", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-d", false),
            ("orders", "contoso-orders", false),
            ("***x", "x", true),
            ("é?", "Éa", true),
        ] {
            assert_eq!(matches(pattern, text), fit, "{pattern} {text}");
        }
        assert!(!matches(&"*a".repeat(40), &"a".repeat(39)));
    }

    #[test]
    fn rules_ask_the_log_and_the_inventory() {
        let inventory = Inventory::parse(
            br#"[{"name":"shop","tenantId":"T1","subscriptionId":"S9","tags":{"Env":"prod"},"owner":"ann","criticality":"high"}]"#,
        )
        .unwrap();
        let (shop, other) = (made("shop", 1, "Medium", 0.0), made("other", 2, "Low", 0.0));
        let fit = |rule: Rule, text: &str| {
            let rule = Rule { sinks: vec!["s".to_owned()], ..rule };
            let line = Line::parse(text).unwrap();
            !sinks(&[rule], &line, &inventory).unwrap().is_empty()
        };
        let list = |text: &str| vec![text.to_owned()];
        for (rule, fits) in [
            (Rule::default(), [true, true]),
            (Rule { tenants: list("t1"), ..Rule::default() }, [true, false]),
            (Rule { subscriptions: list("s9"), ..Rule::default() }, [true, false]),
            (Rule { subscriptions: list("0*c0de"), ..Rule::default() }, [false, true]),
            (Rule { accounts: list("o*"), ..Rule::default() }, [false, true]),
            (Rule { owners: list("ann"), ..Rule::default() }, [true, false]),
            (Rule { criticality: list("high"), ..Rule::default() }, [true, false]),
            (
                Rule { tags: [("env".to_owned(), "p*".to_owned())].into(), ..Rule::default() },
                [true, false],
            ),
            (
                Rule { min_severity: Some(SeverityWord(Severity::Medium)), ..Rule::default() },
                [true, false],
            ),
        ] {
            assert_eq!([fit(rule.clone(), &shop), fit(rule.clone(), &other)], fits, "{rule:?}");
        }
        let line = Line::parse(&shop).unwrap();
        assert_eq!(sinks(&[], &line, &inventory), None);
    }
}
