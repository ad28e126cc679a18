//! One hour of an account: what each test saw, and what it lacked for an alert.
use serde_json::json;

use crate::account::message::{HourRecord, SurpriseLane, surprise_of};
use crate::account::model::AccountModel;
use crate::account::verdict::{Fate, count_of};
use crate::baseline::tempo::HourStatus;
use crate::detect::{AlertKind, Severity};
use crate::event::Sign;
use crate::ids::AccountId;
use crate::profile::Profile;
use crate::severity::{self, BANDS};
use crate::store::untaught::Untaught;
use crate::store::{StateStore, StoreError, display_ring, keys};
use crate::time::Timestamp;

/// What is known of the hour that is asked about.
pub struct Asked<'a> {
    /// Hours since the epoch.
    pub hour: i64,
    /// Its record; `None`: nothing is kept of it.
    pub record: Option<HourRecord>,
    /// What the account did not learn.
    pub untaught: &'a Untaught,
}

/// The alert kind that a lane speaks for.
pub fn kind(lane: SurpriseLane) -> AlertKind {
    match lane {
        SurpriseLane::Tor => AlertKind::TorAnomaly,
        SurpriseLane::Listed => AlertKind::SuspiciousIp,
        SurpriseLane::Place => AlertKind::GeoAnomaly,
        SurpriseLane::KeyPrincipal => AlertKind::SuspiciousPrincipal,
        SurpriseLane::Query => AlertKind::SqlInjection,
        SurpriseLane::Fuzzing => AlertKind::SqlFuzzing,
        _ => AlertKind::DataExfiltration,
    }
}

/// The record of `hour`, as the display ring keeps it.
///
/// # Errors
/// The store failed.
pub fn read(
    store: &dyn StateStore,
    account: &AccountId,
    hour: i64,
) -> Result<Option<HourRecord>, StoreError> {
    let day = hour.div_euclid(24);
    let bytes = store.get(&keys::ring(account, day))?.unwrap_or_default();
    Ok(display_ring::read(day, &bytes).into_iter().find(|r| r.hour == hour))
}

/// What is known of its logs, in words.
pub fn status(r: &HourRecord) -> &'static str {
    match r.status {
        HourStatus::Logged => "logged",
        HourStatus::Silent => "silent",
        HourStatus::Gap => "no logs",
    }
}

/// The severity of the alert that came of the test, if one did.
pub fn raised(lane: SurpriseLane, r: &HourRecord) -> Option<Severity> {
    match r.nearest[lane as usize].fate {
        Fate::Raised(severity) => Some(severity),
        _ => None,
    }
}

/// The p·r at which this kind raises its lowest severity.
pub fn needed(lane: SurpriseLane, profile: &Profile) -> f64 {
    let limits = severity::limits_per_day(kind(lane), &profile.severity);
    let floor = profile.severity.kinds.get(kind(lane).alert_type()).map(|k| k.floor.as_str());
    let at = BANDS.iter().position(|band| Some(band.as_str()) == floor).unwrap_or(0);
    limits[at]
}

/// The answer for programs.
pub fn answer(model: &AccountModel, profile: &Profile, asked: &Asked<'_>) -> serde_json::Value {
    let record = &asked.record;
    let lanes: Vec<_> = record
        .iter()
        .flat_map(|r| SurpriseLane::ALL.map(|lane| lane_json(lane, r, profile)))
        .collect();
    json!({
        "account": model.id().to_string(),
        "hour": Timestamp::of_hour(asked.hour).to_string(),
        "state": model.trust(profile).as_str(),
        "status": record.as_ref().map(status),
        "queries": record.as_ref().map(|r| json!({
            "text_logged": r.queries.texts,
            "new": count_of(r.queries.new),
            "malformed": count_of(r.queries.malformed),
            "signs": Sign::of_bits(r.queries.signs).map(Sign::as_str).collect::<Vec<_>>(),
        })),
        "observed_bytes": record.as_ref().map(|r| r.observed),
        "ordinary_above_p": display_ring::ODD_FROM_P,
        "low_from_bytes": record.as_ref().map(|r| r.low_from).filter(|l| l.is_finite()),
        "tests": lanes,
        "not_learnt": asked.untaught.lines(),
        "blind": model.blindness(),
    })
}

fn lane_json(lane: SurpriseLane, r: &HourRecord, profile: &Profile) -> serde_json::Value {
    let p = surprise_of(r.surprise[lane as usize]);
    let nearest = r.nearest[lane as usize];
    json!({
        "test": lane.as_str(),
        "kind": kind(lane).alert_type(),
        "tested": p.is_some(),
        // Of an ordinary test no more is known than that.
        "p": p.filter(|p| *p < 1.0),
        "p_times_r": (nearest.fate != Fate::None).then(|| surprise_of(nearest.per_day)),
        "raised": raised(lane, r).map(Severity::as_str),
        "held_back": match nearest.fate {
            Fate::Silent(earned, hold) => json!({"earned": earned.as_str(), "why": hold.as_str()}),
            _ => serde_json::Value::Null,
        },
        "alert_needs_p_times_r": needed(lane, profile),
        "low_needs_p_times_r": severity::limits_per_day(kind(lane), &profile.severity)[0],
    })
}
