//! `cosmoguard why-not`.
use serde_json::json;

use super::args::WhyNot;
use super::style::{out, visible};
use super::table::{Align, Table};
use super::{Exit, common, model};
use crate::account::message::{HourRecord, SurpriseLane, surprise_of};
use crate::alert::words;
use crate::baseline::tempo::HourStatus;
use crate::detect::AlertKind;
use crate::profile::Profile;
use crate::severity;
use crate::store::{StateStore, display_ring, keys, untaught};
use crate::time::Timestamp;

/// The alert kind that a lane speaks for.
fn kind(lane: SurpriseLane) -> AlertKind {
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

/// Runs it.
pub fn run(args: &WhyNot) -> anyhow::Result<Exit> {
    let profile = common::configuration(None)?.config.profile;
    let opened = common::existing_store(&args.data.data_dir)?;
    let store = opened.store.as_ref();
    let model = model::load(store, &args.account)?;
    let hour = args.at.hour();
    let record = read_hour(store, &model, hour)?;
    let untaught = untaught::load(store, model.id())?;
    let blind = model.blindness();
    let state = model.trust(&profile);
    if args.data.json {
        let lanes: Vec<_> = record
            .iter()
            .flat_map(|r| SurpriseLane::ALL.map(|lane| lane_json(lane, r, &profile)))
            .collect();
        out(&json!({
            "account": model.id().to_string(),
            "hour": Timestamp::of_hour(hour).to_string(),
            "state": state.as_str(),
            "status": record.map(|r| status(&r)),
            "observed_bytes": record.map(|r| r.observed),
            "ordinary_above_p": display_ring::ODD_FROM_P,
            "low_from_bytes": record.map(|r| r.low_from).filter(|l| l.is_finite()),
            "tests": lanes,
            "not_learnt": untaught.lines(),
            "blind": blind,
        })
        .to_string());
        return Ok(Exit::Done);
    }
    let span = format!(
        "{} to {} UTC",
        Timestamp::of_hour(hour).minutes_text(),
        &Timestamp::of_hour(hour + 1).minutes_text()[11..]
    );
    out(&format!("{}, {span}, baseline {}", visible(model.id().name()), state.as_str()));
    match record {
        None => out(&format!(
            "  nothing is kept of this hour: it lies outside the last {} days, before the first record, or after the last closed hour ({})",
            display_ring::DAYS_KEPT,
            model.newest().map_or_else(|| "none so far".to_owned(), |at| at.to_string())
        )),
        Some(r) => print(&r, &profile),
    }
    for line in untaught.lines() {
        out(&format!("  not learnt: {line}"));
    }
    for b in &blind {
        out(&format!(
            "  not judged: {} (no {}); see cosmoguard model coverage",
            b.blind, b.missing
        ));
    }
    Ok(Exit::Done)
}

fn read_hour(
    store: &dyn StateStore,
    model: &crate::account::model::AccountModel,
    hour: i64,
) -> anyhow::Result<Option<HourRecord>> {
    let day = hour.div_euclid(24);
    let bytes = store.get(&keys::ring(model.id(), day))?.unwrap_or_default();
    Ok(display_ring::read(day, &bytes).into_iter().find(|r| r.hour == hour))
}

fn status(r: &HourRecord) -> &'static str {
    match r.status {
        HourStatus::Logged => "logged",
        HourStatus::Silent => "silent",
        HourStatus::Gap => "no logs",
    }
}

fn print(r: &HourRecord, profile: &Profile) {
    let low = if r.low_from.is_finite() {
        format!(", Low from {}", words::bytes(r.low_from))
    } else {
        String::new()
    };
    out(&format!(
        "  {}: {} returned, usual {}{low}\n",
        status(r),
        words::bytes(r.observed),
        words::byte_range(r.quantiles[0], r.quantiles[2])
    ));
    let mut table = Table::new(&[
        ("test", Align::Left),
        ("this hour", Align::Left),
        ("Low needs", Align::Left),
        ("lacked", Align::Left),
    ]);
    let mut closest: Option<(f64, &str)> = None;
    for lane in SurpriseLane::ALL {
        let needed = severity::limits_per_day(kind(lane), &profile.severity)[0];
        let p = surprise_of(r.surprise[lane as usize]);
        let (seen, lacked) = match p {
            None => ("nothing to test".to_owned(), "-".to_owned()),
            Some(p) if p >= 1.0 => {
                (format!("ordinary: p > {}", display_ring::ODD_FROM_P), "everything".to_owned())
            }
            Some(p) if p <= needed => {
                (format!("p = {p:.1e}"), "nothing: see the alerts of this hour".to_owned())
            }
            Some(p) => (format!("p = {p:.1e}"), format!("{} rarer", factor(p / needed))),
        };
        if let Some(p) = p.filter(|p| *p < 1.0)
            && closest.is_none_or(|(ratio, _)| p / needed < ratio)
        {
            closest = Some((p / needed, lane.as_str()));
        }
        table.row(vec![lane.as_str().to_owned(), seen, format!("p·r ≤ {needed:.1e}"), lacked]);
    }
    table.lines().iter().for_each(|l| out(l));
    if let Some((_, lane)) = closest {
        out(&format!("\n  closest to an alert: {lane}"));
    }
}

fn factor(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1} ×") } else { format!("{ratio:.0} ×") }
}

fn lane_json(lane: SurpriseLane, r: &HourRecord, profile: &Profile) -> serde_json::Value {
    let p = surprise_of(r.surprise[lane as usize]);
    json!({
        "test": lane.as_str(),
        "kind": kind(lane).alert_type(),
        "tested": p.is_some(),
        // Of an ordinary test no more is known than that.
        "p": p.filter(|p| *p < 1.0),
        "low_needs_p_times_r": severity::limits_per_day(kind(lane), &profile.severity)[0],
    })
}
