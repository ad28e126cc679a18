//! The queries of an account, for people and programs: templates with their literals blanked, how
//! often and by whom they run, what they return, and how often new ones come.
use serde::Serialize;

use super::model::AccountModel;
use super::view::FacetMaturity;
use crate::baseline::location::category::Actor;
use crate::baseline::query_shapes::{SHAPES_MAX, ShownShape};
use crate::event::{Credential, KeyKind};
use crate::limits;
use crate::profile::Profile;

/// What an account knows of its queries.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Queries {
    /// Shapes known, and how many can be.
    pub known: usize,
    /// See `known`.
    pub known_max: usize,
    /// Bytes of what is known, and how many it may take.
    pub bytes: usize,
    /// See `bytes`.
    pub bytes_max: usize,
    /// New shapes expected a day.
    pub new_per_day: f64,
    /// Odd new shapes that do not teach until they have come back on several days.
    pub waiting: usize,
    /// Texts that did not fit in their ten minutes and taught nothing.
    pub dropped_texts: u64,
    /// How far it can be trusted.
    #[serde(flatten)]
    pub maturity: FacetMaturity,
    /// Heaviest first.
    pub shapes: Vec<QueryShape>,
}

/// One shape.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryShape {
    /// Its hash, with container and signs, 16 digits.
    pub shape: String,
    /// Container; `None` where only the hash was kept.
    pub container: Option<String>,
    /// The query, literals blanked; see `container`.
    pub template: Option<String>,
    /// Runs, fading with age.
    pub runs: f64,
    /// Its share of all runs, 0 to 1.
    pub share: f64,
    /// First day seen.
    pub first_seen: String,
    /// Last day seen.
    pub last_seen: String,
    /// Who ran it: kinds of keys, object ids, `… more`.
    pub principals: Vec<String>,
    /// 5th, 50th and 95th percentile of an answer, bytes.
    pub response: Option<[f64; 3]>,
    /// Most rows of one run, where logged.
    pub rows_max: Option<u32>,
    /// What is odd about it, and was learnt with it.
    pub signs: Vec<&'static str>,
}

impl AccountModel {
    /// Its queries; `None` before the text of one was seen.
    pub fn queries(&self, profile: &Profile) -> Option<Queries> {
        let (shapes, now, queries) = (self.shapes.as_ref()?, self.now(), &profile.queries);
        let shown = shapes.shown(now, &self.credentials(), queries);
        let all: f64 = shown.iter().map(|s| s.runs).sum();
        let maturity = shapes.maturity(now, queries);
        Some(Queries {
            known: shown.len(),
            known_max: SHAPES_MAX,
            bytes: shapes.shape_bytes(),
            bytes_max: limits::QUERY_SHAPES_BYTES_MAX,
            new_per_day: shapes.arrivals_per_day(now, queries),
            waiting: shapes.waiting(),
            dropped_texts: shapes.dropped(),
            maturity: super::view::named("queries", maturity),
            shapes: shown.into_iter().map(|shape| QueryShape::of(shape, all)).collect(),
        })
    }

    /// Whoever may have run a query: every kind of credential, and the principals that it knows.
    fn credentials(&self) -> Vec<Credential> {
        let keys = [
            KeyKind::PrimaryMaster,
            KeyKind::SecondaryMaster,
            KeyKind::PrimaryReadonly,
            KeyKind::SecondaryReadonly,
        ];
        let mut credentials: Vec<Credential> = keys.map(Credential::Key).to_vec();
        credentials.extend([Credential::ResourceToken, Credential::System, Credential::Unknown]);
        let callers = &self.location.combinations;
        let mut principals: Vec<_> = callers
            .entries
            .iter()
            .filter_map(|e| match &e.key.actor {
                Actor::Entra(principal) => Some(Credential::Entra(principal.clone())),
                _ => None,
            })
            .collect();
        principals.sort();
        principals.dedup();
        credentials.extend(principals);
        credentials
    }
}

impl QueryShape {
    fn of(shape: ShownShape, all_runs: f64) -> QueryShape {
        let mut principals: Vec<String> = shape.principals.iter().map(who).collect();
        if shape.other_principals > 0 {
            principals.push(format!("{} more", shape.other_principals));
        }
        let [first_seen, last_seen] = shape.days.map(|day| day.minutes_text()[..10].to_owned());
        let (container, template) = shape.text.unzip();
        QueryShape {
            shape: format!("{:016x}", shape.key),
            container,
            template,
            runs: (shape.runs * 10.0).round() / 10.0,
            share: if all_runs > 0.0 { shape.runs / all_runs } else { 0.0 },
            first_seen,
            last_seen,
            principals,
            response: shape.bytes,
            rows_max: (shape.rows_max > 0).then_some(shape.rows_max),
            signs: shape.signs.iter().map(|sign| sign.as_str()).collect(),
        }
    }
}

/// A credential in words.
fn who(credential: &Credential) -> String {
    match credential {
        Credential::Key(KeyKind::PrimaryMaster) => "primary key".to_owned(),
        Credential::Key(KeyKind::SecondaryMaster) => "secondary key".to_owned(),
        Credential::Key(KeyKind::PrimaryReadonly) => "primary read-only key".to_owned(),
        Credential::Key(KeyKind::SecondaryReadonly) => "secondary read-only key".to_owned(),
        Credential::Entra(principal) => principal.to_string(),
        Credential::ResourceToken => "resource token".to_owned(),
        Credential::System => "the service".to_owned(),
        Credential::Unknown => "unknown credential".to_owned(),
    }
}
