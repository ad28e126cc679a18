//! STIX 2.1 indicators: a bundle, a TAXII envelope or one indicator.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::collect::{Collector, ParseError, Parsed, Validity, shown, text};
use super::stix_pattern::networks;
use crate::time::Timestamp;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    objects: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Indicator {
    #[serde(default)]
    id: String,
    #[serde(default)]
    modified: Option<String>,
    pattern: String,
    #[serde(default)]
    pattern_type: Option<String>,
    #[serde(default)]
    valid_from: Option<String>,
    #[serde(default)]
    valid_until: Option<String>,
    #[serde(default)]
    revoked: bool,
    #[serde(default)]
    confidence: Option<u64>,
}

/// Parses `bytes`. Of several versions of one indicator the last modified counts, so that a
/// revocation takes back what came before it in the same file. An indicator is used if its
/// pattern is a choice between addresses; objects of other types are passed over.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let text = text(bytes)?;
    let kind: Kind = serde_json::from_str(text).map_err(|e| ParseError::json(&e))?;
    let mut collector = Collector::default();
    let mut newest: BTreeMap<String, (Option<Timestamp>, Indicator)> = BTreeMap::new();
    let mut nameless = Vec::new();
    for (number, object) in (1..).zip(objects(text, &kind)?) {
        let read = |e: serde_json::Error| ParseError::at(1, format!("object {number}: {e}"));
        let kind: Kind = serde_json::from_str(object).map_err(read)?;
        if kind.kind != "indicator" {
            continue;
        }
        let indicator: Indicator = serde_json::from_str(object).map_err(read)?;
        let modified = time(&indicator.modified, number)?;
        if indicator.id.is_empty() {
            nameless.push(indicator);
            continue;
        }
        match newest.get(&indicator.id) {
            Some((known, _)) if *known > modified => collector.revoked(),
            known => {
                if known.is_some() {
                    collector.revoked();
                }
                newest.insert(indicator.id.clone(), (modified, indicator));
            }
        }
    }
    let all = newest.into_values().map(|(_, indicator)| indicator).chain(nameless);
    for (number, indicator) in (1..).zip(all) {
        add(&mut collector, number, &indicator)?;
    }
    Ok(collector.finish())
}

fn objects<'a>(text: &'a str, kind: &Kind) -> Result<Vec<&'a str>, ParseError> {
    if kind.kind == "indicator" {
        return Ok(vec![text]);
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|e| ParseError::json(&e))?;
    Ok(envelope.objects.into_iter().map(RawValue::get).collect())
}

fn add(collector: &mut Collector, number: usize, indicator: &Indicator) -> Result<(), ParseError> {
    if indicator.revoked {
        collector.revoked();
        return Ok(());
    }
    let is_stix = indicator.pattern_type.as_deref().is_none_or(|kind| kind == "stix");
    let Some(networks) = is_stix.then(|| networks(&indicator.pattern)).flatten() else {
        collector.unsupported();
        return Ok(());
    };
    let since = time(&indicator.valid_from, number)?;
    collector.saw(since.max(time(&indicator.modified, number)?));
    let validity = Validity {
        since,
        until: time(&indicator.valid_until, number)?,
        confidence: indicator.confidence.map(|c| u8::try_from(c.min(100)).unwrap_or(100)),
    };
    for network in networks {
        collector.add(1, network, validity)?;
    }
    Ok(())
}

fn time(text: &Option<String>, number: usize) -> Result<Option<Timestamp>, ParseError> {
    let Some(text) = text else { return Ok(None) };
    Timestamp::parse(text).map(Some).ok_or_else(|| {
        ParseError::at(1, format!("object {number}: `{}` is not a time", shown(text)))
    })
}
