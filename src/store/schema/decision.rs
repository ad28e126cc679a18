//! Persisted form of what people decided.
use serde::{Deserialize, Serialize};

use crate::alert::AlertId;
use crate::alert::rules::{
    Decision, Expectation, Filter, FilterText, Rule, Ruling, Trust, Verdict, What,
};
use crate::detect::{AlertKind, Severity};
use crate::store::codec;
use crate::store::envelope::EnvelopeError;
use crate::time::Timestamp;

/// Longest decision, bytes: a filter with all its networks, and a reason.
const BYTES_MAX: usize = 64 << 10;

/// Version 1.
#[derive(Debug, Serialize, Deserialize)]
struct DecisionV1 {
    number: u64,
    from: i64,
    made: i64,
    author: String,
    reason: String,
    what: WhatV1,
}

#[derive(Debug, Serialize, Deserialize)]
enum WhatV1 {
    Suppress { filter: FilterV1, up_to: Option<String>, until: i64 },
    Expect { filter: FilterV1, bytes_max: Option<u64>, start: i64, end: i64, ticket: String },
    Trust { network: String, until: i64 },
    Verdict(VerdictV1),
    End { of: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
struct VerdictV1 {
    alert: u128,
    kind: String,
    account: String,
    story: String,
    severity: String,
    ruling: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct FilterV1 {
    kinds: Vec<String>,
    account: Option<String>,
    principal: Option<String>,
    networks: Vec<String>,
    country: Option<String>,
    asn: Option<u32>,
    agent: Option<String>,
}

impl From<&Filter> for FilterV1 {
    fn from(filter: &Filter) -> FilterV1 {
        let FilterText { kinds, account, principal, networks, country, asn, agent } = filter.text();
        FilterV1 { kinds, account, principal, networks, country, asn, agent }
    }
}

impl FilterV1 {
    fn restore(self) -> Result<Filter, String> {
        let FilterV1 { kinds, account, principal, networks, country, asn, agent } = self;
        let text = FilterText { kinds, account, principal, networks, country, asn, agent };
        Filter::parse(&text).map_err(|e| e.to_string())
    }
}

fn stored(what: &What) -> WhatV1 {
    match what {
        What::Suppress(Rule { filter, up_to, until }) => WhatV1::Suppress {
            filter: filter.into(),
            up_to: up_to.map(|s| s.as_str().to_owned()),
            until: until.millis(),
        },
        What::Expect(Expectation { filter, bytes_max, start, end, ticket }) => WhatV1::Expect {
            filter: filter.into(),
            bytes_max: *bytes_max,
            start: start.millis(),
            end: end.millis(),
            ticket: ticket.clone(),
        },
        What::Trust(Trust { network, until }) => {
            WhatV1::Trust { network: network.to_string(), until: until.millis() }
        }
        What::Verdict(v) => WhatV1::Verdict(VerdictV1 {
            alert: v.alert.0,
            kind: v.kind.alert_type().to_owned(),
            account: v.account.clone(),
            story: v.story.clone(),
            severity: v.severity.as_str().to_owned(),
            ruling: v.ruling.as_str().to_owned(),
        }),
        What::End { of } => WhatV1::End { of: *of },
    }
}

fn severity(word: &str) -> Result<Severity, String> {
    Severity::parse(word).ok_or_else(|| format!("`{word}` is no severity"))
}

fn live(what: WhatV1) -> Result<What, String> {
    Ok(match what {
        WhatV1::Suppress { filter, up_to, until } => What::Suppress(Rule {
            filter: filter.restore()?,
            up_to: up_to.as_deref().map(severity).transpose()?,
            until: Timestamp(until),
        }),
        WhatV1::Expect { filter, bytes_max, start, end, ticket } => What::Expect(Expectation {
            filter: filter.restore()?,
            bytes_max,
            start: Timestamp(start),
            end: Timestamp(end),
            ticket,
        }),
        WhatV1::Trust { network, until } => {
            What::Trust(Trust::parse(&network, Timestamp(until)).map_err(|e| e.to_string())?)
        }
        WhatV1::Verdict(v) => What::Verdict(Verdict {
            alert: AlertId(v.alert),
            kind: AlertKind::parse(&v.kind).ok_or_else(|| format!("`{}` is no kind", v.kind))?,
            severity: severity(&v.severity)?,
            ruling: Ruling::parse(&v.ruling)
                .ok_or_else(|| format!("`{}` is no verdict", v.ruling))?,
            account: v.account,
            story: v.story,
        }),
        WhatV1::End { of } => What::End { of },
    })
}

/// Seals a decision.
///
/// # Errors
/// It is larger than its bound.
pub fn seal(decision: &Decision) -> Result<Vec<u8>, EnvelopeError> {
    let stored = DecisionV1 {
        number: decision.number,
        from: decision.from.millis(),
        made: decision.made.millis(),
        author: decision.author.clone(),
        reason: decision.reason.clone(),
        what: stored(&decision.what),
    };
    codec::encode(&stored, BYTES_MAX)
}

/// Opens a sealed decision.
///
/// # Errors
/// Damage of any kind, or words that this build does not know.
pub fn open(sealed: &[u8]) -> Result<Decision, EnvelopeError> {
    let stored: DecisionV1 = codec::decode(sealed, BYTES_MAX)?;
    Ok(Decision {
        number: stored.number,
        from: Timestamp(stored.from),
        made: Timestamp(stored.made),
        author: stored.author,
        reason: stored.reason,
        what: live(stored.what).map_err(EnvelopeError::Payload)?,
    })
}
