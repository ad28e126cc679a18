//! Pictures of a model for people and programs: what it learnt, facet by facet, and how far it can
//! be trusted.
use serde::Serialize;

use super::model::AccountModel;
use super::shapes::Queries;
use crate::baseline::maturity::{Maturity, MaturityState};
use crate::baseline::prior::Priors;
use crate::event::Category;
use crate::profile::Profile;
use crate::severity;
use crate::time::{HOUR_MS, Timestamp};

/// State and age of one facet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FacetMaturity {
    /// Which.
    pub facet: &'static str,
    /// Its state.
    pub state: &'static str,
    /// Days since its first observation.
    pub age_days: f64,
    /// Days with observations.
    pub active_days: u32,
}

/// A line of `model list`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Brief {
    /// Account.
    pub account: String,
    /// The weaker of places and volume: what a behavioural finding can be trusted with.
    pub state: &'static str,
    /// Days since the first record.
    pub age_days: f64,
    /// Records applied.
    pub records: u64,
    /// Of these, late ones.
    pub late_records: u64,
    /// Last record; `None` if nothing is known of any.
    pub last_record: Option<String>,
    /// Hours without logs in the last four weeks that are taken as unknown.
    pub gap_hours: u32,
    /// Categories seen, by Azure's names.
    pub categories: Vec<&'static str>,
    /// Bytes of the model.
    pub bytes: usize,
}

/// A known value and its share.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Share {
    /// The value.
    pub value: String,
    /// Its share of days or operations, 0 to 1.
    pub share: f64,
}

/// A key-listing principal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KnownPrincipal {
    /// Identity.
    pub principal: String,
    /// Name for people.
    pub name: String,
    /// Days on which it read keys.
    pub days: u32,
    /// Runs.
    pub runs: u32,
    /// First and last time.
    pub first_seen: String,
    /// See `first_seen`.
    pub last_seen: String,
}

/// `model show`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detail {
    /// The line of the list.
    #[serde(flatten)]
    pub brief: Brief,
    /// ARM id as last logged.
    pub resource_id: Option<String>,
    /// Cloud.
    pub cloud: &'static str,
    /// How far each facet can be trusted.
    pub maturity: Vec<FacetMaturity>,
    /// Areas by share of days.
    pub areas: Vec<Share>,
    /// Networks by share of days.
    pub networks: Vec<Share>,
    /// Client families by share of days.
    pub clients: Vec<Share>,
    /// Principals that read keys.
    pub key_principals: Vec<KnownPrincipal>,
    /// Expected egress of the coming day's hours: 5th, 50th, 95th percentile, and from which
    /// bytes the hour would be Low.
    pub egress_hours: Vec<EgressHour>,
    /// Hourly volume at the 50th, 95th and 99th percentile, bytes.
    pub hourly_volume: [Option<f64>; 3],
    /// Largest response of a minute at the 50th, 95th and 99th percentile, bytes.
    pub response: [Option<f64>; 3],
    /// Its queries; absent before the text of one was seen.
    pub queries: Option<Queries>,
    /// Open minute cells.
    pub open_cells: usize,
    /// Bytes by facet.
    pub bytes_by_facet: Vec<(&'static str, usize)>,
    /// Midnight (days since the epoch) of the population priors in use; 0 = shipped.
    pub prior_day: i64,
}

/// One hour of the usual day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EgressHour {
    /// Start.
    pub hour: String,
    /// 5th, 50th, 95th percentile, bytes.
    pub quantiles: [f64; 3],
    /// Bytes from which it would be Low.
    pub low_from: Option<f64>,
}

fn shares(values: Vec<(String, f64)>) -> Vec<Share> {
    values.into_iter().map(|(value, share)| Share { value, share }).collect()
}

pub(super) fn named(facet: &'static str, m: Maturity) -> FacetMaturity {
    FacetMaturity {
        facet,
        state: m.state.as_str(),
        age_days: m.age_days,
        active_days: m.active_days,
    }
}

impl AccountModel {
    /// The newest event time that the model has closed, holds open or took in late; the epoch if
    /// it knows nothing.
    pub fn now(&self) -> Timestamp {
        self.newest().unwrap_or(Timestamp(0))
    }

    /// [`AccountModel::now`]; `None` if the model knows nothing, as one whose every record was
    /// forgotten.
    pub fn newest(&self) -> Option<Timestamp> {
        let open = self.open.keys().next_back().copied().map(Timestamp::of_minute);
        let closed = (self.last_minute != i64::MIN).then(|| Timestamp::of_minute(self.last_minute));
        let taught = self.tempo.coverage().filter_map(|(_, last)| last).max();
        open.max(closed).max(taught)
    }

    pub(super) fn maturities(&self, profile: &Profile) -> [(&'static str, Maturity); 4] {
        let now = self.now();
        [
            ("places", self.location.maturity(now, &profile.location)),
            ("volume", self.egress.maturity(now, &profile.egress)),
            ("key principals", self.principals.maturity(now, &profile.keys)),
            ("listed addresses", self.listed.maturity(now, &profile.location)),
        ]
    }

    /// The weaker of places and volume.
    pub fn trust(&self, profile: &Profile) -> MaturityState {
        let rank = |s: MaturityState| match s {
            MaturityState::Learning => 0,
            MaturityState::Provisional => 1,
            MaturityState::Degraded => 2,
            MaturityState::Mature => 3,
        };
        let [(_, places), (_, volume), ..] = self.maturities(profile);
        if rank(places.state) < rank(volume.state) { places.state } else { volume.state }
    }

    /// The line of `model list`.
    pub fn brief(&self, profile: &Profile) -> Brief {
        let now = self.now();
        let first = self.tempo.first_seen().unwrap_or(now);
        Brief {
            account: self.id.to_string(),
            state: self.trust(profile).as_str(),
            age_days: (now.since(first) as f64 / HOUR_MS as f64 / 24.0 * 10.0).round() / 10.0,
            records: self.records,
            late_records: self.late_records,
            last_record: self.newest().map(|at| at.to_string()),
            gap_hours: self.tempo.gap_hours(now),
            categories: self.categories().map(Category::as_str).collect(),
            bytes: self.bytes(),
        }
    }

    /// Categories that the account has sent.
    pub fn categories(&self) -> impl Iterator<Item = Category> + '_ {
        let open = self.open.values().fold(0, |bits, cell| bits | cell.category_bits());
        self.tempo
            .coverage()
            .filter(move |(c, last)| last.is_some() || open & c.bit() != 0)
            .map(|(c, _)| c)
    }

    /// First and last record; `None` if it knows of none.
    pub fn seen(&self) -> Option<(Timestamp, Timestamp)> {
        let last = self.newest()?;
        Some((self.tempo.first_seen().unwrap_or(last), last))
    }

    /// Categories with their last record, as far as it is taught.
    pub fn last_of_categories(&self) -> impl Iterator<Item = (Category, Timestamp)> + '_ {
        self.tempo.coverage().filter_map(|(category, last)| Some((category, last?)))
    }

    /// `model show`.
    pub fn detail(&self, profile: &Profile, priors: &Priors) -> Detail {
        let now = self.now();
        let half_life = profile.location.half_life_days;
        let quantiles = |f: &dyn Fn(f64) -> Option<f64>| [f(0.5), f(0.95), f(0.99)];
        Detail {
            brief: self.brief(profile),
            resource_id: self.resource_id.as_deref().map(str::to_owned),
            cloud: self.id.cloud().as_str(),
            maturity: self.maturities(profile).into_iter().map(|(f, m)| named(f, m)).collect(),
            areas: shares(self.location.usual_areas(now, half_life)),
            networks: shares(self.location.usual_networks(now, half_life)),
            clients: shares(self.location.usual_clients(now, half_life)),
            key_principals: self.known_principals(),
            egress_hours: self.usual_day(profile, priors),
            hourly_volume: quantiles(&|q| self.egress.hourly_volume(q)),
            response: quantiles(&|q| self.egress.largest_response(q)),
            queries: self.queries(profile),
            open_cells: self.open.len(),
            bytes_by_facet: self.bytes_by_facet().to_vec(),
            prior_day: self.prior_day,
        }
    }

    fn known_principals(&self) -> Vec<KnownPrincipal> {
        let known = self.principals.principals().iter().map(|p| KnownPrincipal {
            principal: p.principal.to_string(),
            name: p.name.to_string(),
            days: p.seen_days,
            runs: p.runs,
            first_seen: p.first_seen.to_string(),
            last_seen: p.last_seen.to_string(),
        });
        known.collect()
    }

    fn usual_day(&self, profile: &Profile, priors: &Priors) -> Vec<EgressHour> {
        let Some(clock) = self.clock else { return Vec::new() };
        let limits =
            severity::limits_per_day(crate::detect::AlertKind::DataExfiltration, &profile.severity);
        let day = clock.div_euclid(1440) * 24;
        let hours = (day..day + 24).map(|hour| {
            let band = self.egress.hour_band(hour, limits, priors, &profile.egress);
            let [q05, _, q50, _, q95] = band.quantiles;
            let low = band.thresholds[0];
            EgressHour {
                hour: Timestamp::of_hour(hour).to_string(),
                quantiles: [q05.round(), q50.round(), q95.round()],
                low_from: low.is_finite().then_some(low.round()),
            }
        });
        hours.collect()
    }
}

/// Which detectors the absence of a category leaves blind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Blindness {
    /// What is missing, in words.
    pub missing: &'static str,
    /// What is not judged without it, a clause.
    pub blind: &'static str,
    /// The command that switches it on.
    pub command: &'static str,
}

/// Requests by account: places, lists and volume live on them.
const REQUESTS: Blindness = Blindness {
    missing: "DataPlaneRequests",
    blind: "Tor, listed addresses, unusual location and unusual volume are not judged",
    command: "az monitor diagnostic-settings create --name cosmoguard --resource \"$ACCOUNT\" --storage-account \"$STORAGE\" --logs '[{\"category\":\"DataPlaneRequests\",\"enabled\":true}]'",
};
const ACTIVITY: Blindness = Blindness {
    missing: "Activity log",
    blind: "key extraction script and suspicious key-listing principal are not judged",
    command: "az monitor diagnostic-settings subscription create --name cosmoguard --location westeurope --storage-account \"$STORAGE\" --logs '[{\"category\":\"Administrative\",\"enabled\":true}]'",
};
const QUERIES: Blindness = Blindness {
    missing: "QueryRuntimeStatistics",
    blind: "injection is not judged; fuzzing goes by bursts of refused queries alone and is Low at most",
    command: "az monitor diagnostic-settings create --name cosmoguard-queries --resource \"$ACCOUNT\" --storage-account \"$STORAGE\" --logs '[{\"category\":\"QueryRuntimeStatistics\",\"enabled\":true}]' && az rest --method PATCH --uri \"https://management.azure.com$ACCOUNT?api-version=2021-05-01-preview\" --body '{\"properties\":{\"diagnosticLogSettings\":{\"enableFullTextQuery\":\"True\"}}}'",
};
const QUERY_TEXT: Blindness = Blindness {
    missing: "text in QueryRuntimeStatistics",
    blind: QUERIES.blind,
    command: FULL_TEXT,
};
const MONGO_TEXT: Blindness = Blindness {
    missing: "text in MongoRequests (piiCommandText)",
    blind: "injection is not judged",
    command: FULL_TEXT,
};
/// Nothing is judged with it; that is said where it could be taken for a gap in the logs.
const COMMAND_TEXT: Blindness = Blindness {
    missing: "text of commands (piiCommandText)",
    blind: "which Cassandra, Gremlin and Table commands are usual is not learned; injection is not judged in them either way",
    command: FULL_TEXT,
};
/// The feature that puts texts into the log, for all APIs. The portal has it under Features.
const FULL_TEXT: &str = "az rest --method PATCH --uri \"https://management.azure.com$ACCOUNT?api-version=2021-05-01-preview\" --body '{\"properties\":{\"diagnosticLogSettings\":{\"enableFullTextQuery\":\"True\"}}}'";
const CONTROL: Blindness = Blindness {
    missing: "ControlPlaneRequests",
    blind: "changes of the account's own settings, diagnostics switched off among them, are not seen",
    command: "az monitor diagnostic-settings create --name cosmoguard-control --resource \"$ACCOUNT\" --storage-account \"$STORAGE\" --logs '[{\"category\":\"ControlPlaneRequests\",\"enabled\":true}]'",
};

impl AccountModel {
    /// What the account is blind to.
    pub fn blindness(&self) -> Vec<Blindness> {
        blindness(&self.categories().collect::<Vec<_>>(), self.has_texts())
    }

    /// Texts of queries or commands were seen.
    fn has_texts(&self) -> bool {
        let open = self.open.values().filter_map(|cell| cell.queries.as_ref());
        self.shapes.as_ref().is_some_and(|s| s.first_day.is_some())
            || open.map(|q| q.texts).any(|n| n > 0)
    }
}

/// What an account with these categories is blind to; `texts` says that some of their records hold
/// the text of a query or command.
pub fn blindness(categories: &[Category], texts: bool) -> Vec<Blindness> {
    let has = |wanted: &[Category]| wanted.iter().any(|c| categories.contains(c));
    let data_plane = [
        Category::DataPlaneRequests,
        Category::DataPlaneRequests5M,
        Category::DataPlaneRequests15M,
    ];
    let api = categories.iter().any(|c| c.command_language().is_some());
    let statistics = has(&[Category::QueryRuntimeStatistics]);
    let all = [
        (has(&data_plane) || api, REQUESTS),
        (has(&[Category::Activity]), ACTIVITY),
        (statistics || api, QUERIES),
        (!statistics || api || texts, QUERY_TEXT),
        (!has(&[Category::MongoRequests]) || texts, MONGO_TEXT),
        (!api || has(&[Category::MongoRequests]) || texts, COMMAND_TEXT),
        (has(&[Category::ControlPlaneRequests]), CONTROL),
    ];
    all.into_iter().filter(|(seen, _)| !seen).map(|(_, blind)| blind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(categories: &[Category], texts: bool) -> Vec<&'static str> {
        let others = [Category::Activity, Category::ControlPlaneRequests];
        let all = [&others[..], categories].concat();
        blindness(&all, texts).into_iter().map(|b| b.missing).collect()
    }

    #[test]
    fn what_is_blind_is_said_in_a_whole_clause() {
        for b in [REQUESTS, ACTIVITY, QUERIES, QUERY_TEXT, MONGO_TEXT, COMMAND_TEXT, CONTROL] {
            let verb = [" is not ", " are not "].iter().any(|verb| b.blind.contains(verb));
            assert!(verb && !b.blind.ends_with("Low"), "without {}: {}", b.missing, b.blind);
        }
    }

    #[test]
    fn what_the_injection_detectors_lack_depends_on_the_api() {
        use Category::{
            CassandraRequests, DataPlaneRequests, MongoRequests, QueryRuntimeStatistics,
        };
        let nothing: Vec<&str> = Vec::new();
        assert_eq!(missing(&[DataPlaneRequests], false), [QUERIES.missing]);
        let both = [DataPlaneRequests, QueryRuntimeStatistics];
        assert_eq!(missing(&both, false), [QUERY_TEXT.missing]);
        assert_eq!(missing(&both, true), nothing);
        assert_eq!(missing(&[MongoRequests], false), [MONGO_TEXT.missing]);
        assert_eq!(missing(&[MongoRequests], true), nothing);
        assert_eq!(missing(&[CassandraRequests], false), [COMMAND_TEXT.missing]);
    }
}
