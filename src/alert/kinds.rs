//! What is said of every alert of a kind: data, embedded from `models/alerts/`.
use std::sync::OnceLock;

use serde::Deserialize;

use crate::detect::AlertKind;

/// One kind's card.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindCard {
    /// `alertType` of the contract.
    pub alert_type: String,
    /// Title for people.
    pub display_name: String,
    /// Stage of the attack, by Defender's name.
    pub intent: String,
    /// ATT&CK tactic.
    pub tactic: String,
    /// What such an alert means, in a sentence.
    pub sense: String,
    /// What to find out next, each to be read after "check".
    pub check_next: Vec<String>,
    /// What to do about it.
    pub remediation: Vec<String>,
    /// ATT&CK techniques.
    pub techniques: Vec<Technique>,
}

/// One ATT&CK technique or sub-technique.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Technique {
    /// `T1213` or `T1213.006`.
    pub id: String,
    /// Its name; of a sub-technique after its technique's, with a colon between.
    pub name: String,
}

impl Technique {
    /// The technique, without the part behind the dot.
    pub fn base(&self) -> &str {
        self.id.split('.').next().unwrap_or(&self.id)
    }
    /// It is a sub-technique.
    pub fn is_sub(&self) -> bool {
        self.id.contains('.')
    }
    /// Names of the technique and, for a sub-technique, its own.
    pub fn names(&self) -> (&str, Option<&str>) {
        match self.name.split_once(": ") {
            Some((base, sub)) => (base, Some(sub)),
            None => (&self.name, None),
        }
    }
}

/// Techniques without their parts behind the dot, each once, in the card's order.
pub fn techniques(card: &KindCard) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    for technique in &card.techniques {
        if !out.contains(&technique.base()) {
            out.push(technique.base());
        }
    }
    out
}

/// Sub-techniques, in the card's order.
pub fn sub_techniques(card: &KindCard) -> Vec<&str> {
    card.techniques.iter().filter(|t| t.is_sub()).map(|t| t.id.as_str()).collect()
}

macro_rules! embedded {
    ($($kind:ident: $file:literal),* $(,)?) => {
        fn text(kind: AlertKind) -> &'static str {
            match kind {
                $(AlertKind::$kind => {
                    include_str!(concat!("../../models/alerts/", $file, ".toml"))
                })*
            }
        }
    };
}
embedded!(
    TorAnomaly: "CosmosDB_TorAnomaly",
    SuspiciousIp: "CosmosDB_SuspiciousIp",
    GeoAnomaly: "CosmosDB_GeoAnomaly",
    DataExfiltration: "CosmosDB_DataExfiltrationAnomaly",
    MaliciousScript: "CosmosDB_SuspiciousListKeys.MaliciousScript",
    SuspiciousPrincipal: "AzureCosmosDB_SuspiciousListKeys.SuspiciousPrincipal",
    SqlInjection: "CosmosDB_SqlInjection.DataExfiltration",
    SqlFuzzing: "CosmosDB_SqlInjection.FailedFuzzingAttempt",
);

/// The card of `kind`.
pub fn card(kind: AlertKind) -> &'static KindCard {
    static CARDS: OnceLock<Vec<KindCard>> = OnceLock::new();
    let cards = CARDS.get_or_init(|| {
        #[allow(clippy::expect_used)] // the embedded files are read by a test in this room
        AlertKind::ALL
            .into_iter()
            .map(|k| toml::from_str(text(k)).expect("the embedded card is valid"))
            .collect()
    });
    &cards[kind as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_card() {
        for kind in AlertKind::ALL {
            let card = card(kind);
            assert_eq!(card.alert_type, kind.alert_type());
            assert!(!card.display_name.is_empty() && !card.remediation.is_empty());
            assert!(card.check_next.iter().all(|c| c.starts_with(['w'])), "{:?}", card.check_next);
            assert!(card.sense.ends_with('.'));
            for technique in &card.techniques {
                assert_eq!(technique.is_sub(), technique.names().1.is_some(), "{technique:?}");
            }
        }
        let script = card(AlertKind::MaliciousScript);
        assert_eq!(techniques(script), ["T1555", "T1078", "T1580", "T1526", "T1059"]);
        assert_eq!(sub_techniques(script), ["T1555.006", "T1078.004", "T1059.009"]);
    }
}
