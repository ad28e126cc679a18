//! `cosmoguard why-not`.
use super::args::WhyNot;
use super::style::{out, visible};
use super::table::{Align, Table};
use super::{Exit, common, model, shapes};
use crate::account::message::{HourRecord, SurpriseLane, surprise_of};
use crate::account::verdict::{Fate, HourQueries, Nearest, count_of};
use crate::alert::words;
use crate::event::Sign;
use crate::inquiry::hour::{self, Asked, kind, needed, raised, status};
use crate::profile::Profile;
use crate::store::{display_ring, untaught};
use crate::time::Timestamp;

/// Runs it.
pub fn run(args: &WhyNot) -> anyhow::Result<Exit> {
    let profile = common::configuration(None)?.config.profile;
    let opened = common::existing_store(&args.data.data_dir)?;
    let store = opened.store.as_ref();
    let model = model::load(store, &args.account)?;
    let hour = args.at.hour();
    let record = hour::read(store, model.id(), hour)?;
    let untaught = untaught::load(store, model.id())?;
    let blind = model.blindness();
    if args.data.json {
        let asked = Asked { hour, record, untaught: &untaught };
        out(&hour::answer(&model, &profile, &asked).to_string());
        return Ok(Exit::Done);
    }
    let span = format!(
        "{} to {} UTC",
        Timestamp::of_hour(hour).minutes_text(),
        &Timestamp::of_hour(hour + 1).minutes_text()[11..]
    );
    out(&format!(
        "{}, {span}, baseline {}",
        visible(model.id().name()),
        model.trust(&profile).as_str()
    ));
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
        out(&format!("  without {}: {}. Switch it on with\n  {}", b.missing, b.blind, b.command));
    }
    Ok(Exit::Done)
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
        ("an alert needs", Align::Left),
        ("lacked", Align::Left),
    ]);
    let mut closest: Option<(f64, &str)> = None;
    for lane in SurpriseLane::ALL {
        let needed = needed(lane, profile);
        let [seen, lacked] = said(lane, r, needed);
        if let Some(ratio) = distance(lane, r, needed)
            && closest.is_none_or(|(nearest, _)| ratio < nearest)
        {
            closest = Some((ratio, lane.as_str()));
        }
        table.row(vec![lane.as_str().to_owned(), seen, format!("p·r ≤ {needed:.1e}"), lacked]);
    }
    table.lines().iter().for_each(|l| out(l));
    let raised = SurpriseLane::ALL.iter().any(|lane| raised(*lane, r).is_some());
    if let Some((_, lane)) = closest.filter(|_| !raised) {
        out(&format!("\n  closest to an alert: {lane}"));
    }
    let held: Vec<String> =
        SurpriseLane::ALL.iter().filter_map(|lane| held(*lane, r, profile)).collect();
    let notes = held.into_iter().chain(untested(r, profile)).chain(queries(&r.queries));
    for (n, note) in notes.enumerate() {
        if n == 0 {
            out("");
        }
        shapes::wrapped(&note, 2).iter().for_each(|line| out(line));
    }
}

/// What an hour says of one test: what was seen, and what it lacked.
fn said(lane: SurpriseLane, r: &HourRecord, needed: f64) -> [String; 2] {
    let nearest = r.nearest[lane as usize];
    let p = surprise_of(r.surprise[lane as usize]);
    let seen = match p {
        None => "nothing to test".to_owned(),
        Some(p) if p >= 1.0 => format!("ordinary: p > {}", display_ring::ODD_FROM_P),
        Some(p) => format!("p = {p:.1e}"),
    };
    let lacked = match (nearest.fate, p) {
        (Fate::Raised(severity), _) => format!("nothing: an alert, {}", severity.as_str()),
        (Fate::Silent(severity, _), _) => {
            format!("rare enough for {}; held back, see below", severity.as_str())
        }
        (Fate::TooOrdinary, _) => {
            let per_day = surprise_of(nearest.per_day).unwrap_or(1.0);
            format!("{} rarer (p·r = {per_day:.1e})", factor(per_day / needed))
        }
        (Fate::None, None) => "-".to_owned(),
        (Fate::None, Some(p)) if p >= 1.0 => "everything".to_owned(),
        // Of what is no finding only p is known, and the limit is one of p·r: they do not compare.
        (Fate::None, Some(_)) => format!("what tells: {}", more_than_rare(lane)),
    };
    [seen, lacked]
}

/// What a detector asks for besides a small p.
fn more_than_rare(lane: SurpriseLane) -> &'static str {
    match lane {
        SurpriseLane::Query => "no sign of an injection",
        SurpriseLane::Fuzzing => "the requests do not differ as probes do",
        SurpriseLane::Place => "own callers or too little",
        SurpriseLane::KeyPrincipal => "too little differs",
        _ => "too little volume",
    }
}

/// p·r of the nearest finding divided by what an alert needs; `None` without a finding: a p alone
/// does not compare with it.
fn distance(lane: SurpriseLane, r: &HourRecord, needed: f64) -> Option<f64> {
    let nearest = r.nearest[lane as usize];
    let found = (nearest.fate != Fate::None).then_some(nearest.per_day);
    surprise_of(found?).map(|per_day| per_day / needed)
}

/// The severity that a finding earned and the bound that kept it silent, in a sentence.
fn held(lane: SurpriseLane, r: &HourRecord, profile: &Profile) -> Option<String> {
    let Nearest { fate: Fate::Silent(earned, hold), per_day } = r.nearest[lane as usize] else {
        return None;
    };
    let per_day = surprise_of(per_day).unwrap_or(1.0);
    let floor = profile.severity.kinds.get(kind(lane).alert_type()).map_or("Low", |k| &k.floor);
    Some(format!(
        "{}: p·r = {per_day:.1e}, {} on an innocent account, would be {}. Held back: {}, and this kind raises {floor} and higher only",
        lane.as_str(),
        words::once_in(per_day),
        earned.as_str(),
        hold.as_str(),
    ))
}

/// Why nothing was tested, where that is not plain.
fn untested(r: &HourRecord, profile: &Profile) -> Option<String> {
    let untested = |lane: &SurpriseLane| r.surprise[*lane as usize] == 0;
    let why = |lane: SurpriseLane| match lane {
        SurpriseLane::Tor => Some("Tor: no exit of a list in force got in".to_owned()),
        SurpriseLane::Listed => Some("listed address: none of a list in force got in".to_owned()),
        SurpriseLane::KeyPrincipal => Some("key listing: nobody read keys".to_owned()),
        SurpriseLane::Fuzzing => Some(format!(
            "malformed queries: no {} were refused in ten minutes, the hour or 24 hours, or they did not differ as probes do",
            profile.queries.burst.least
        )),
        _ => None,
    };
    let all: Vec<String> = SurpriseLane::ALL.into_iter().filter(untested).filter_map(why).collect();
    (!all.is_empty()).then(|| format!("nothing to test: {}", all.join("; ")))
}

/// What the hour had of queries.
fn queries(q: &HourQueries) -> Option<String> {
    let malformed = count_of(q.malformed);
    if !q.texts && q.new == 0 && malformed == 0 {
        return None;
    }
    let new = words::plural(count_of(q.new) as f64, "query", "queries");
    let signs: Vec<&str> = Sign::of_bits(q.signs).map(Sign::as_str).collect();
    let texts = match (q.texts, signs.as_slice()) {
        (false, _) => "no text was logged in this hour".to_owned(),
        (true, []) => format!("{new} new to the account, no sign of an injection"),
        (true, signs) => format!("{new} new to the account, with signs {}", signs.join(", ")),
    };
    let refused = words::plural(malformed as f64, "request", "requests");
    Some(format!("queries: {texts}; {refused} refused as malformed"))
}

fn factor(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1} ×") } else { format!("{ratio:.0} ×") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::verdict::count_code;

    fn said(texts: bool, new: u64, malformed: u64, signs: &[Sign]) -> Option<String> {
        let signs = signs.iter().fold(0, |bits, sign| bits | sign.bit());
        let (new, malformed) = (count_code(new), count_code(malformed));
        let of_hour = HourQueries { texts, new, malformed, signs };
        super::queries(&of_hour)
    }

    #[test]
    fn an_hour_says_what_it_had_of_queries_and_nothing_where_it_had_none() {
        assert_eq!(said(false, 0, 0, &[]), None);
        assert_eq!(
            said(true, 0, 0, &[]).as_deref(),
            Some(
                "queries: 0 queries new to the account, no sign of an injection; 0 requests \
                 refused as malformed"
            )
        );
        assert_eq!(
            said(true, 1, 2, &[Sign::LooseOr, Sign::Insertion]).as_deref(),
            Some(
                "queries: 1 query new to the account, with signs insertion, loose-or; 2 requests \
                 refused as malformed"
            )
        );
    }

    #[test]
    fn refusals_without_texts_are_told_as_such() {
        assert_eq!(
            said(false, 0, 1, &[]).as_deref(),
            Some("queries: no text was logged in this hour; 1 request refused as malformed")
        );
    }
}
