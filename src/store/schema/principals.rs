//! Persisted form of an account's key-listing principals.
use serde::{Deserialize, Serialize};

use super::cell::KeyOperationV1;
use super::words;
use crate::baseline::cell::Network;
use crate::baseline::principals::{
    Arrival, ArrivalHazard, NetworkUse, PRINCIPALS_MAX, PrincipalEntry, PrincipalsBaseline,
    TextUse, Today,
};
use crate::event::Place;
use crate::ids::{PrincipalId, Text};
use crate::intel::view::Country;
use crate::time::Timestamp;

/// Mirror of [`PrincipalsBaseline`].
#[derive(Debug, Serialize, Deserialize)]
pub struct PrincipalsV1 {
    entries: Vec<EntryV1>,
    arrivals: [f64; 3],
    exposure_days: f64,
    active_days: u32,
    principal_days: f64,
    closed_day: Option<i64>,
    first_day: Option<i64>,
    /// Principal, last attempt, attempts.
    refused: Vec<(Text, i64, u32)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EntryV1 {
    principal: Text,
    name: Text,
    principal_type: u8,
    guest: bool,
    /// First and last seen.
    seen: (i64, i64),
    last_active_day: u32,
    /// Day, probability, weight, quarantined.
    arrival: (i64, f64, f64, bool),
    seen_days: u32,
    days: f64,
    operations: [f64; 4],
    runs: u32,
    /// Start, operations, judged.
    run: (i64, u8, bool),
    counted: (u8, i64),
    patterns: Vec<(u8, f64)>,
    networks: Vec<NetworkV1>,
    /// Application, days, last day.
    applications: Vec<(Text, f64, i64)>,
    hours: [f64; 24],
    broken_days: [f64; 9],
    last_hour: i64,
    accepted: Vec<(u64, i64)>,
    today: TodayV1,
}

#[derive(Debug, Serialize, Deserialize)]
struct NetworkV1 {
    class: u8,
    country: Option<[u8; 2]>,
    asn: Option<u32>,
    days: f64,
    last_day: i64,
    trusted: bool,
    seen_days: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct TodayV1 {
    day: i64,
    first: i64,
    first_event: Text,
    first_place: [u32; 3],
    operations: u32,
    bits: u8,
    broken: u16,
    odds: [f64; 9],
    failures: u32,
    absent_days: i64,
    last: Option<KeyOperationV1>,
}

impl From<&PrincipalsBaseline> for PrincipalsV1 {
    fn from(b: &PrincipalsBaseline) -> PrincipalsV1 {
        let refused = |(p, at, n): &(PrincipalId, Timestamp, u32)| (p.text().clone(), at.0, *n);
        PrincipalsV1 {
            entries: b.entries.iter().map(EntryV1::from).collect(),
            arrivals: b.hazard.arrivals,
            exposure_days: b.exposure_days,
            active_days: b.active_days,
            principal_days: b.principal_days,
            closed_day: b.closed_day,
            first_day: b.first_day,
            refused: b.refused.iter().map(refused).collect(),
        }
    }
}

impl From<&PrincipalEntry> for EntryV1 {
    fn from(e: &PrincipalEntry) -> EntryV1 {
        let a = &e.arrival;
        EntryV1 {
            principal: e.principal.text().clone(),
            name: e.name.clone(),
            principal_type: words::principal_type_code(e.principal_type),
            guest: e.guest,
            seen: (e.first_seen.0, e.last_seen.0),
            last_active_day: e.last_active_day,
            arrival: (a.day, a.p, a.weight, a.quarantined),
            seen_days: e.seen_days,
            days: e.days,
            operations: e.operations,
            runs: e.runs,
            run: (e.run_start.0, e.run_bits, e.run_judged),
            counted: (e.counted.0, e.counted.1.0),
            patterns: e.patterns.clone(),
            networks: e.networks.iter().map(NetworkV1::from).collect(),
            applications: e
                .applications
                .iter()
                .map(|a| (a.text.clone(), a.days, a.last_day))
                .collect(),
            hours: e.hours,
            broken_days: e.broken_days,
            last_hour: e.last_hour,
            accepted: e.accepted.iter().map(|(hash, at)| (*hash, at.0)).collect(),
            today: (&e.today).into(),
        }
    }
}

impl From<&NetworkUse> for NetworkV1 {
    fn from(n: &NetworkUse) -> NetworkV1 {
        NetworkV1 {
            class: words::class_code(n.network.class),
            country: n.network.country.map(|c| c.0),
            asn: n.network.asn,
            days: n.days,
            last_day: n.last_day,
            trusted: n.trusted,
            seen_days: n.seen_days,
        }
    }
}

impl From<&Today> for TodayV1 {
    fn from(t: &Today) -> TodayV1 {
        TodayV1 {
            day: t.day,
            first: t.first.0,
            first_event: t.first_event.clone(),
            first_place: t.first_place.packed(),
            operations: t.operations,
            bits: t.bits,
            broken: t.broken,
            odds: t.odds,
            failures: t.failures,
            absent_days: t.absent_days,
            last: t.last.as_deref().map(Into::into),
        }
    }
}

/// A weight, count of decayed days or probability: finite and not negative.
fn sound(values: &[f64]) -> bool {
    values.iter().all(|v| v.is_finite() && *v >= 0.0)
}

impl TryFrom<PrincipalsV1> for PrincipalsBaseline {
    type Error = &'static str;

    fn try_from(v: PrincipalsV1) -> Result<PrincipalsBaseline, &'static str> {
        if v.entries.len() > PRINCIPALS_MAX {
            return Err("more principals than an account keeps");
        }
        if !v.entries.is_sorted_by(|a, b| a.principal < b.principal) {
            return Err("principals are out of order");
        }
        if !sound(&v.arrivals) || !sound(&[v.exposure_days, v.principal_days]) {
            return Err("a count is negative or not finite");
        }
        let refused =
            |(p, at, n): (Text, i64, u32)| (PrincipalId::from_lowercase(p), Timestamp(at), n);
        Ok(PrincipalsBaseline {
            entries: v
                .entries
                .into_iter()
                .map(PrincipalEntry::try_from)
                .collect::<Result<_, _>>()?,
            hazard: ArrivalHazard { arrivals: v.arrivals },
            exposure_days: v.exposure_days,
            active_days: v.active_days,
            principal_days: v.principal_days,
            closed_day: v.closed_day,
            first_day: v.first_day,
            refused: v.refused.into_iter().map(refused).collect(),
        })
    }
}

impl TryFrom<EntryV1> for PrincipalEntry {
    type Error = &'static str;

    fn try_from(v: EntryV1) -> Result<PrincipalEntry, &'static str> {
        let (day, p, weight, quarantined) = v.arrival;
        let all_sound = sound(&v.operations)
            && sound(&v.hours)
            && sound(&v.broken_days)
            && sound(&v.today.odds)
            && sound(&[v.days, p, weight])
            && v.patterns.iter().all(|(_, runs)| sound(&[*runs]))
            && v.applications.iter().all(|(_, days, _)| sound(&[*days]));
        if !all_sound || p > 1.0 || weight > 1.0 || v.today.odds.iter().any(|q| *q > 1.0) {
            return Err("a principal's count or probability is out of range");
        }
        let application =
            |(text, days, last_day): (Text, f64, i64)| TextUse { text, days, last_day };
        Ok(PrincipalEntry {
            principal: PrincipalId::from_lowercase(v.principal),
            name: v.name,
            principal_type: words::principal_type(v.principal_type)
                .ok_or("unknown kind of principal")?,
            guest: v.guest,
            first_seen: Timestamp(v.seen.0),
            last_seen: Timestamp(v.seen.1),
            last_active_day: v.last_active_day,
            arrival: Arrival { day, p, weight, quarantined },
            seen_days: v.seen_days,
            days: v.days,
            operations: v.operations,
            runs: v.runs,
            run_start: Timestamp(v.run.0),
            run_bits: v.run.1,
            run_judged: v.run.2,
            counted: (v.counted.0, Timestamp(v.counted.1)),
            patterns: v.patterns,
            networks: v.networks.into_iter().map(NetworkUse::try_from).collect::<Result<_, _>>()?,
            applications: v.applications.into_iter().map(application).collect(),
            hours: v.hours,
            broken_days: v.broken_days,
            last_hour: v.last_hour,
            accepted: v.accepted.into_iter().map(|(hash, at)| (hash, Timestamp(at))).collect(),
            today: v.today.try_into()?,
        })
    }
}

impl TryFrom<NetworkV1> for NetworkUse {
    type Error = &'static str;

    fn try_from(v: NetworkV1) -> Result<NetworkUse, &'static str> {
        if !sound(&[v.days]) {
            return Err("a network's days are out of range");
        }
        let network = Network {
            class: words::class(v.class).ok_or("unknown address class")?,
            country: v.country.map(Country),
            asn: v.asn,
        };
        Ok(NetworkUse {
            network,
            days: v.days,
            last_day: v.last_day,
            trusted: v.trusted,
            seen_days: v.seen_days,
        })
    }
}

impl TryFrom<TodayV1> for Today {
    type Error = &'static str;

    fn try_from(v: TodayV1) -> Result<Today, &'static str> {
        let last = match v.last {
            Some(last) => Some(Box::new(last.restore().ok_or("unknown word in a key operation")?)),
            None => None,
        };
        Ok(Today {
            day: v.day,
            first: Timestamp(v.first),
            first_event: v.first_event,
            first_place: Place::unpack(v.first_place),
            operations: v.operations,
            bits: v.bits,
            broken: v.broken,
            odds: v.odds,
            failures: v.failures,
            absent_days: v.absent_days,
            last,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::principals::tests::lived_in;

    #[test]
    fn principals_come_back_and_broken_ones_are_refused() {
        let baseline = lived_in();
        let stored = PrincipalsV1::from(&baseline);
        assert_eq!(PrincipalsBaseline::try_from(stored), Ok(baseline.clone()));
        let breakages: [fn(&mut PrincipalsV1); 5] = [
            |v| v.entries.reverse(),
            |v| v.exposure_days = f64::NAN,
            |v| v.entries[0].principal_type = 99,
            |v| v.entries[0].hours[3] = -1.0,
            |v| v.entries[0].networks[0].class = 0,
        ];
        for breakage in breakages {
            let mut broken = PrincipalsV1::from(&baseline);
            breakage(&mut broken);
            assert!(PrincipalsBaseline::try_from(broken).is_err());
        }
    }
}
