//! Which alerts a decision is about: every condition that is given must hold, and what an alert
//! does not say never holds.
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{RuleError, Subject};
use crate::alert::words::clean;
use crate::detect::AlertKind;
use crate::intel::view::Country;

/// Longest pattern, characters: names in alerts are cut at 120.
pub const PATTERN_CHARS_MAX: usize = 256;
/// Most networks of one filter.
pub const NETWORKS_MAX: usize = 64;

/// A pattern: `*` stands for any characters, `?` for one; capitals do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn parse(what: &'static str, text: &str) -> Result<Pattern, RuleError> {
        let text = text.trim().to_lowercase();
        match text.chars().count() {
            0 => Err(RuleError::Empty(what)),
            n if n > PATTERN_CHARS_MAX => Err(RuleError::TooLong { what, max: PATTERN_CHARS_MAX }),
            _ => Ok(Pattern(text)),
        }
    }
    /// As it was given, in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// It fits one text only.
    pub fn is_plain(&self) -> bool {
        !self.0.contains(['*', '?'])
    }
    /// It fits the whole of `text`. Takes at most |pattern| · |text| steps, whatever they hold.
    pub fn fits(&self, text: &str) -> bool {
        let (pattern, text): (Vec<char>, Vec<char>) =
            (self.0.chars().collect(), text.to_lowercase().chars().collect());
        let (mut p, mut t) = (0, 0);
        // Where the last star stands, and how much of the text it has taken.
        let mut star: Option<(usize, usize)> = None;
        while t < text.len() {
            match pattern.get(p) {
                Some('*') => {
                    star = Some((p, t));
                    p += 1;
                }
                Some(c) if *c == '?' || *c == text[t] => {
                    p += 1;
                    t += 1;
                }
                _ => {
                    let Some((at, taken)) = star else { return false };
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
            }
        }
        pattern[p..].iter().all(|c| *c == '*')
    }
}

/// A filter as people and programs write it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterText {
    /// `alertType`s; any of them. Empty: every kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Pattern of account names; all accounts of an alert must fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Pattern of a principal's object id or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Addresses and networks; the caller's address must lie in one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// The caller's country, two letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The caller's AS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
    /// Pattern of user agents; all agents of an alert must fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// A filter that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub(super) kinds: Vec<AlertKind>,
    pub(super) account: Option<Pattern>,
    pub(super) principal: Option<Pattern>,
    pub(super) networks: Vec<IpNet>,
    pub(super) country: Option<Country>,
    pub(super) asn: Option<u32>,
    pub(super) agent: Option<Pattern>,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// A condition cannot be read.
    pub fn parse(text: &FilterText) -> Result<Filter, RuleError> {
        let pattern = |what, text: &Option<String>| {
            text.as_deref().map(|text| Pattern::parse(what, text)).transpose()
        };
        if text.networks.len() > NETWORKS_MAX {
            return Err(RuleError::TooLong { what: "list of networks", max: NETWORKS_MAX });
        }
        let mut kinds =
            text.kinds.iter().map(|kind| kind_of(kind)).collect::<Result<Vec<_>, _>>()?;
        kinds.sort();
        kinds.dedup();
        let country = text.country.as_deref().map(|country| {
            Country::parse(country).ok_or_else(|| RuleError::Country(clean(country)))
        });
        Ok(Filter {
            kinds,
            account: pattern("account pattern", &text.account)?,
            principal: pattern("principal", &text.principal)?,
            networks: text.networks.iter().map(|n| network(n)).collect::<Result<_, _>>()?,
            country: country.transpose()?,
            asn: text.asn,
            agent: pattern("user agent", &text.agent)?,
        })
    }

    /// As it may be written.
    pub fn text(&self) -> FilterText {
        let pattern = |p: &Option<Pattern>| p.as_ref().map(|p| p.as_str().to_owned());
        FilterText {
            kinds: self.kinds.iter().map(|kind| kind.alert_type().to_owned()).collect(),
            account: pattern(&self.account),
            principal: pattern(&self.principal),
            networks: self.networks.iter().map(ToString::to_string).collect(),
            country: self.country.map(|country| country.to_string()),
            asn: self.asn,
            agent: pattern(&self.agent),
        }
    }

    /// In words, for a table.
    pub fn words(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        let text = self.text();
        if !text.kinds.is_empty() {
            parts.push(text.kinds.join(" or "));
        }
        let mut part = |name: &str, value: Option<String>| {
            parts.extend(value.map(|value| format!("{name} {value}")));
        };
        part("account", text.account);
        part("principal", text.principal);
        part("from", (!text.networks.is_empty()).then(|| text.networks.join(" or ")));
        part("country", text.country);
        part("AS", text.asn.map(|asn| asn.to_string()));
        part("agent", text.agent);
        if parts.is_empty() { "everything".to_owned() } else { parts.join(", ") }
    }

    /// It names one account and no other.
    pub fn is_of_one_account(&self) -> bool {
        self.account.as_ref().is_some_and(Pattern::is_plain)
    }

    /// Nothing is asked: every alert fits.
    pub fn is_everything(&self) -> bool {
        *self == Filter::default()
    }

    /// Every condition holds. Of lists in the alert (accounts, user agents) every entry must fit:
    /// one stranger among them is reason enough to be told.
    pub fn fits(&self, subject: &Subject) -> bool {
        let all = |pattern: &Option<Pattern>, values: &[String]| {
            let Some(pattern) = pattern else { return true };
            !values.is_empty() && values.iter().all(|value| pattern.fits(value))
        };
        let any = |pattern: &Option<Pattern>, values: &[String]| {
            pattern.as_ref().is_none_or(|p| values.iter().any(|value| p.fits(value)))
        };
        let inside = |ip: std::net::IpAddr| {
            let ip = ip.to_canonical();
            self.networks.iter().any(|network| network.contains(&ip))
        };
        (self.kinds.is_empty() || self.kinds.contains(&subject.kind))
            && all(&self.account, &subject.accounts)
            && any(&self.principal, &subject.principals)
            && (self.networks.is_empty() || subject.ip.is_some_and(inside))
            && self.country.is_none_or(|country| subject.country == Some(country))
            && self.asn.is_none_or(|asn| subject.asn == Some(asn))
            && all(&self.agent, &subject.agents)
    }
}

/// A kind by its `alertType`, any case.
fn kind_of(text: &str) -> Result<AlertKind, RuleError> {
    let text = text.trim();
    let mut kinds = AlertKind::ALL.into_iter();
    kinds
        .find(|kind| kind.alert_type().eq_ignore_ascii_case(text))
        .ok_or_else(|| RuleError::Kind(clean(text)))
}

/// An address or a network; bits beyond its length are refused rather than guessed at.
pub(super) fn network(text: &str) -> Result<IpNet, RuleError> {
    let text = text.trim();
    let network = match text.parse::<std::net::IpAddr>() {
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_) => text.parse::<IpNet>().ok(),
    };
    network.filter(|n| n.trunc() == *n).ok_or_else(|| RuleError::Network(clean(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing::{alert, hostile_text};
    use proptest::prelude::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Pattern::parse("x", pattern).unwrap().fits(text)
    }

    #[test]
    fn patterns_fit_whole_texts() {
        assert!(fits("contoso-*", "Contoso-Orders") && fits("*", "") && fits("a?c", "abc"));
        assert!(!fits("contoso", "contoso-orders") && !fits("?", "") && !fits("a*b", "abc"));
        assert!(fits("*a*a*a*", "banana") && !fits("[ab]", "a") && fits("a**b", "ab"));
        let slow = "a*".repeat(100) + "b";
        assert!(!fits(&slow, &"a".repeat(10_000)), "no more than a product of lengths");
    }

    fn text_of(change: impl FnOnce(&mut FilterText)) -> FilterText {
        let mut text = FilterText::default();
        change(&mut text);
        text
    }

    #[test]
    fn each_condition_is_asked_and_strangers_do_not_fit() {
        let subject = Subject::of(&alert(AlertKind::GeoAnomaly));
        type Change = fn(&mut FilterText);
        let cases: [(Change, bool); 14] = [
            (|t| t.kinds = vec!["cosmosdb_geoanomaly".to_owned()], true),
            (|t| t.kinds = vec!["CosmosDB_TorAnomaly".to_owned()], false),
            (|t| t.account = Some("contoso-*".to_owned()), true),
            (|t| t.account = Some("fabrikam-*".to_owned()), false),
            (|t| t.networks = vec!["203.0.113.0/24".to_owned()], true),
            (|t| t.networks = vec!["::ffff:203.0.113.77".to_owned()], true),
            (|t| t.networks = vec!["203.0.113.78".to_owned()], false),
            (|t| t.country = Some("sg".to_owned()), true),
            (|t| t.country = Some("NL".to_owned()), false),
            (|t| t.asn = Some(64500), true),
            (|t| t.asn = Some(1), false),
            (|t| t.agent = Some("python-*".to_owned()), true),
            (|t| t.agent = Some("azsdk*".to_owned()), false),
            // It was signed in with a key: nobody is named.
            (|t| t.principal = Some("*".to_owned()), false),
        ];
        for (change, expected) in cases {
            let text = text_of(change);
            let filter = Filter::parse(&text).unwrap();
            assert_eq!(filter.fits(&subject), expected, "{text:?}");
            assert_eq!(Filter::parse(&filter.text()).unwrap(), filter);
        }
    }

    #[test]
    fn one_stranger_among_accounts_or_agents_is_enough() {
        let sweep = Subject::of(&alert(AlertKind::MaliciousScript));
        let one = Filter::parse(&text_of(|t| t.account = Some("contoso-hr".to_owned()))).unwrap();
        let all = Filter::parse(&text_of(|t| t.account = Some("contoso-*".to_owned()))).unwrap();
        assert!(!one.fits(&sweep) && all.fits(&sweep));
        let agents = |agents: &[&str]| Subject {
            agents: agents.iter().map(|a| (*a).to_owned()).collect(),
            ..sweep.clone()
        };
        let known = Filter::parse(&text_of(|t| t.agent = Some("azsdk*".to_owned()))).unwrap();
        assert!(known.fits(&agents(&["azsdk-net"])));
        assert!(!known.fits(&agents(&["azsdk-net", "sqlmap"])) && !known.fits(&agents(&[])));
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_never_repeated_raw() {
        let hostile = hostile_text();
        let cases = [
            text_of(|t| t.kinds = vec![hostile.clone()]),
            text_of(|t| t.networks = vec![hostile.clone()]),
            text_of(|t| t.networks = vec!["203.0.113.77/24".to_owned()]),
            text_of(|t| t.networks = vec!["10.0.0.0/8".to_owned(); 65]),
            text_of(|t| t.country = Some(hostile.clone())),
            text_of(|t| t.account = Some(hostile.clone())),
            text_of(|t| t.agent = Some("  ".to_owned())),
        ];
        for text in cases {
            let error = Filter::parse(&text).unwrap_err().to_string();
            assert!(!error.contains(['\u{1b}', '\u{202e}', '\n']) && error.len() < 700, "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_without_signs_fits_itself_only(a in "[a-c]{1,6}", b in "[a-c]{1,6}") {
            prop_assert_eq!(fits(&a, &b), a == b);
        }
        #[test]
        fn a_star_fits_what_a_search_of_all_ways_finds(pattern in "[ab*?]{1,8}", text in "[ab]{0,8}") {
            fn search(p: &[u8], t: &[u8]) -> bool {
                match (p.first(), t.first()) {
                    (None, None) => true,
                    (Some(b'*'), _) => search(&p[1..], t) || (!t.is_empty() && search(p, &t[1..])),
                    (Some(b'?'), Some(_)) => search(&p[1..], &t[1..]),
                    (Some(c), Some(d)) if c == d => search(&p[1..], &t[1..]),
                    _ => false,
                }
            }
            prop_assert_eq!(fits(&pattern, &text), search(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
