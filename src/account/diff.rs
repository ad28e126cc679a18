//! What was learnt between two moments of one account: what a model knows, as sets and figures, and
//! the differences of two such pictures. Names and figures only; nothing here knows where the models
//! came from.
use std::collections::BTreeMap;

use serde::Serialize;

use super::model::AccountModel;
use super::shapes::QueryShape;
use crate::baseline::location::SeenSet;
use crate::baseline::prior::Priors;
use crate::detect::AlertKind;
use crate::profile::Profile;
use crate::severity;
use crate::time::Timestamp;

/// Quantiles that moved by less than this factor are taken as the same.
pub const MOVED_FACTOR: f64 = 1.05;
/// The same of what one query returns, which wanders more than an account's volume.
pub const ANSWER_MOVED_FACTOR: f64 = 1.25;
/// The facet of queries.
pub const QUERY: &str = "query";
/// Days of the week from Thursday on, which the epoch began with.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const DAY_HOURS: i64 = 24;

/// Something known: what to say of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Item {
    /// First and last day (or moment) it was seen; empty where that is not kept.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub first: String,
    /// See `first`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last: String,
    /// Its share of the days, of a query of the runs, 0 to 1, where that is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Of a query, its container and template, where these are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

impl Item {
    fn of(shape: &QueryShape) -> Item {
        let query = shape.container.as_ref().zip(shape.template.as_ref());
        Item {
            first: shape.first_seen.clone(),
            last: shape.last_seen.clone(),
            share: Some(shape.share),
            template: query.map(|(container, template)| format!("{container}: {template}")),
        }
    }
}

/// What a model knows.
#[derive(Clone, Debug, PartialEq)]
pub struct Knowledge {
    /// Newest event time in it; `None` if it knows nothing.
    pub at: Option<Timestamp>,
    /// Records applied.
    pub records: u64,
    /// Named things by facet, facets in the order of print.
    pub sets: Vec<(&'static str, BTreeMap<String, Item>)>,
    /// What queries return, by the name they have in `sets`.
    pub answers: BTreeMap<String, [f64; 3]>,
    /// New queries expected a day; `None` without query text.
    pub new_queries_per_day: Option<f64>,
    /// 5th, 50th and 95th percentile of figures, bytes.
    pub quantiles: Vec<(String, Option<[f64; 3]>)>,
    /// How far each facet can be trusted.
    pub states: Vec<(&'static str, &'static str)>,
}

impl AccountModel {
    /// What it knows, with the population's `priors` of its time.
    pub fn knowledge(&self, profile: &Profile, priors: &Priors) -> Knowledge {
        let now = self.now();
        let half_life = profile.location.half_life_days;
        let place = &self.location;
        let combinations = named(&place.combinations, now, half_life, |c| {
            format!("{} with {} from {}", c.actor, c.family, c.site)
        });
        let principals = self.principals.principals().iter().map(|p| {
            let name = if p.name.is_empty() { p.principal.to_string() } else { p.name.to_string() };
            let (first, last) = (p.first_seen.minutes_text(), p.last_seen.minutes_text());
            (name, Item { first, last, share: None, template: None })
        });
        let categories = self.categories().map(|c| (c.as_str().to_owned(), Item::default()));
        let queries = self.queries(profile);
        let shapes = queries.iter().flat_map(|q| &q.shapes);
        let answers = shapes.clone().filter_map(|s| Some((s.shape.clone(), s.response?)));
        Knowledge {
            at: self.newest(),
            records: self.records,
            sets: vec![
                ("area", named(&place.areas, now, half_life, ToString::to_string)),
                ("network", named(&place.networks, now, half_life, ToString::to_string)),
                ("client", named(&place.families, now, half_life, ToString::to_string)),
                ("caller", combinations),
                ("principal", principals.collect()),
                ("category", categories.collect()),
                (QUERY, shapes.map(|s| (s.shape.clone(), Item::of(s))).collect()),
            ],
            answers: answers.collect(),
            new_queries_per_day: queries.as_ref().map(|q| q.new_per_day),
            quantiles: self.quantiles(profile, priors),
            states: self.maturities(profile).map(|(facet, m)| (facet, m.state.as_str())).to_vec(),
        }
    }

    fn quantiles(&self, profile: &Profile, priors: &Priors) -> Vec<(String, Option<[f64; 3]>)> {
        let three = |f: &dyn Fn(f64) -> Option<f64>| Some([f(0.05)?, f(0.5)?, f(0.95)?]);
        let mut quantiles = vec![
            ("hourly volume".to_owned(), three(&|q| self.egress.hourly_volume(q))),
            ("largest response".to_owned(), three(&|q| self.egress.largest_response(q))),
        ];
        let limits = severity::limits_per_day(AlertKind::DataExfiltration, &profile.severity);
        let today = self.clock.map(|minute| minute.div_euclid(60 * DAY_HOURS));
        for (weekday, name) in WEEKDAYS.iter().enumerate() {
            // The coming day of this name: what is expected of it now.
            let day = today.map(|d| d + (weekday as i64 - d).rem_euclid(WEEKDAYS.len() as i64));
            let hours = day.map(|day| {
                let mut sum = [0.0; 3];
                for hour in day * DAY_HOURS..(day + 1) * DAY_HOURS {
                    let band = self.egress.hour_band(hour, limits, priors, &profile.egress);
                    let [q05, _, q50, _, q95] = band.quantiles;
                    sum = [sum[0] + q05, sum[1] + q50, sum[2] + q95];
                }
                sum.map(|bytes| (bytes / DAY_HOURS as f64).round())
            });
            quantiles.push((format!("egress {name}"), hours));
        }
        quantiles
    }
}

fn named<K: Ord + Clone, const MAX: usize>(
    set: &SeenSet<K, MAX>,
    now: Timestamp,
    half_life_days: f64,
    name: impl Fn(&K) -> String,
) -> BTreeMap<String, Item> {
    let day = |day| Timestamp::of_day(day).minutes_text()[..10].to_owned();
    let mut items = BTreeMap::new();
    for (key, share) in set.shares(now, half_life_days, MAX) {
        let Some(seen) = set.get(key) else { continue };
        let item = Item {
            first: day(seen.first_day),
            last: day(seen.last_day),
            share: Some(share),
            template: None,
        };
        items.insert(name(key), item);
    }
    items
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub enum Change {
    /// Not known before.
    New {
        /// Facet.
        facet: &'static str,
        /// What.
        name: String,
        /// What is known of it.
        #[serde(flatten)]
        item: Item,
    },
    /// Not known any more.
    Gone {
        /// Facet.
        facet: &'static str,
        /// What.
        name: String,
        /// What was known of it.
        #[serde(flatten)]
        item: Item,
    },
    /// Percentiles moved.
    Moved {
        /// Which figure.
        name: String,
        /// 5th, 50th and 95th percentile before, bytes; `None`: unknown.
        before: Option<[f64; 3]>,
        /// The same after.
        after: Option<[f64; 3]>,
        /// After divided by before, each; `None` where before is nothing.
        factors: Option<[Option<f64>; 3]>,
    },
    /// What a query returns moved.
    Answer {
        /// The query.
        name: String,
        /// Its container and template, where these are kept.
        #[serde(skip_serializing_if = "Option::is_none")]
        template: Option<String>,
        /// 5th, 50th and 95th percentile before, bytes.
        before: [f64; 3],
        /// The same after.
        after: [f64; 3],
        /// After divided by before, each; `None` where before is nothing.
        factors: [Option<f64>; 3],
    },
    /// Trust in a facet changed.
    State {
        /// Facet.
        facet: &'static str,
        /// State before.
        before: &'static str,
        /// State after.
        after: &'static str,
    },
}

/// What one account learnt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// Newest event time before; `None`: it knew nothing.
    pub from: Option<String>,
    /// Newest event time after; `None`: it knows nothing.
    pub to: Option<String>,
    /// Records before.
    pub records_before: u64,
    /// Records after.
    pub records_after: u64,
    /// The differences: names first, then figures, then states.
    pub changes: Vec<Change>,
}

/// How many differences of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)] // the kinds of [`Change`]
pub struct Counts {
    pub new: usize,
    pub gone: usize,
    pub moved: usize,
    pub states: usize,
}

impl Diff {
    /// From `before` to `after`.
    pub fn of(before: &Knowledge, after: &Knowledge) -> Diff {
        let mut changes = Vec::new();
        for ((facet, old), (_, new)) in before.sets.iter().zip(&after.sets) {
            let missing = |from: &BTreeMap<String, Item>, of: &BTreeMap<String, Item>| {
                let missing = of.iter().filter(|(name, _)| !from.contains_key(*name));
                missing.map(|(name, item)| (name.clone(), item.clone())).collect::<Vec<_>>()
            };
            let came = missing(old, new).into_iter();
            changes.extend(came.map(|(name, item)| Change::New { facet, name, item }));
            let went = missing(new, old).into_iter();
            changes.extend(went.map(|(name, item)| Change::Gone { facet, name, item }));
        }
        for ((name, old), (_, new)) in before.quantiles.iter().zip(&after.quantiles) {
            if has_moved(old.as_ref(), new.as_ref()) {
                let factors = old.zip(*new).map(|(old, new)| factors(&old, &new));
                let (before, after) = (*old, *new);
                changes.push(Change::Moved { name: name.clone(), before, after, factors });
            }
        }
        changes.extend(answers(before, after));
        for ((facet, before), (_, after)) in before.states.iter().zip(&after.states) {
            if before != after {
                changes.push(Change::State { facet, before, after });
            }
        }
        Diff {
            from: before.at.map(|at| at.to_string()),
            to: after.at.map(|at| at.to_string()),
            records_before: before.records,
            records_after: after.records,
            changes,
        }
    }

    /// Nothing is to be told.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.records_before == self.records_after && self.from == self.to
    }

    /// How many there are of each kind.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in &self.changes {
            *match change {
                Change::New { .. } => &mut counts.new,
                Change::Gone { .. } => &mut counts.gone,
                Change::Moved { .. } | Change::Answer { .. } => &mut counts.moved,
                Change::State { .. } => &mut counts.states,
            } += 1;
        }
        counts
    }

    /// The trust in places and volume as it changed, for a line: `learning to mature`.
    pub fn states(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let states = self.changes.iter().filter_map(|change| match change {
            Change::State { facet, before, after } => Some((*facet, *before, *after)),
            _ => None,
        });
        states.collect()
    }
}

/// Queries known before and after whose answers moved.
fn answers<'a>(
    before: &'a Knowledge,
    after: &'a Knowledge,
) -> impl Iterator<Item = Change> + use<'a> {
    let both =
        before.answers.iter().filter_map(|(name, old)| Some((name, old, after.answers.get(name)?)));
    let moved = both.filter(|(_, old, new)| moved_by(old, new, ANSWER_MOVED_FACTOR));
    let known = after.sets.iter().find(|(facet, _)| *facet == QUERY).map(|(_, known)| known);
    moved.map(move |(name, old, new)| Change::Answer {
        name: name.clone(),
        template: known.and_then(|known| known.get(name)?.template.clone()),
        before: *old,
        after: *new,
        factors: factors(old, new),
    })
}

fn factors(old: &[f64; 3], new: &[f64; 3]) -> [Option<f64>; 3] {
    std::array::from_fn(|i| (old[i] > 0.0).then(|| (new[i] / old[i] * 1e3).round() / 1e3))
}

fn has_moved(old: Option<&[f64; 3]>, new: Option<&[f64; 3]>) -> bool {
    let (Some(old), Some(new)) = (old, new) else { return old.is_some() != new.is_some() };
    moved_by(old, new, MOVED_FACTOR)
}

fn moved_by(old: &[f64; 3], new: &[f64; 3], least: f64) -> bool {
    old.iter().zip(new).any(|(old, new)| {
        // A byte more on nothing is no move.
        let factor = (new + 1.0) / (old + 1.0);
        !(1.0 / least..least).contains(&factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowledge(records: u64, networks: &[&str], volume: Option<[f64; 3]>) -> Knowledge {
        let item = |share| Item { first: "2026-01-01".to_owned(), share, ..Item::default() };
        Knowledge {
            at: Some(Timestamp(records as i64)),
            records,
            sets: vec![
                ("network", networks.iter().map(|n| ((*n).to_owned(), item(Some(0.5)))).collect()),
                ("client", BTreeMap::from([("python".to_owned(), item(None))])),
            ],
            answers: BTreeMap::from([("0a".to_owned(), [1.0, 2.0, records as f64])]),
            new_queries_per_day: None,
            quantiles: vec![("hourly volume".to_owned(), volume)],
            states: vec![("places", if records > 5 { "mature" } else { "learning" })],
        }
    }

    #[test]
    fn names_come_and_go_figures_move_and_trust_grows() {
        let before = knowledge(3, &["AS1", "AS2"], Some([0.0, 100.0, 1000.0]));
        let after = knowledge(9, &["AS2", "AS3"], Some([0.0, 103.0, 2000.0]));
        let diff = Diff::of(&before, &after);
        assert_eq!(diff.counts(), Counts { new: 1, gone: 1, moved: 2, states: 1 });
        assert!(matches!(&diff.changes[0], Change::New { name, .. } if name == "AS3"));
        assert!(matches!(&diff.changes[1], Change::Gone { name, .. } if name == "AS1"));
        let moved = [None, Some(1.03), Some(2.0)];
        assert!(matches!(&diff.changes[2], Change::Moved { factors: Some(f), .. } if *f == moved));
        assert!(matches!(&diff.changes[3], Change::Answer { name, .. } if name == "0a"));
        assert_eq!(diff.states(), [("places", "learning", "mature")]);
        assert!(!diff.is_empty());
    }

    #[test]
    fn little_is_no_move_and_the_same_is_nothing() {
        let before = knowledge(9, &["AS1"], Some([0.0, 100.0, 1000.0]));
        let near = knowledge(9, &["AS1"], Some([0.0, 104.0, 960.0]));
        assert!(Diff::of(&before, &near).is_empty() && Diff::of(&before, &before).is_empty());
        let unknown = knowledge(9, &["AS1"], None);
        assert_eq!(Diff::of(&unknown, &before).counts().moved, 1);
        assert_eq!(Diff::of(&unknown, &unknown).counts(), Counts::default());
    }
}
