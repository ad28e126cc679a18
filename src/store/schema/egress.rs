//! The volume baseline.
use serde::{Deserialize, Serialize};

use super::cell::{CallerKeyV1, CallerRowV1};
use crate::baseline::egress::prior::SCALED;
use crate::baseline::egress::{
    CELLS_PLACED, Callers, Candidate, Client, Drip, EgressBaseline, HeavyCaller, Known, NetworkKey,
    Networks, OpenStory, STREAMS, Season, Span, Stream, Today,
};
use crate::event::Place;
use crate::stats::histogram::DecayedHistogram;
use crate::time::Timestamp;

/// Bound of any ten-minute cell, hour or day since the epoch: far beyond what a record can have,
/// near enough that arithmetic on them cannot overflow.
const TIMES_MAX: i64 = 1 << 50;

/// Persisted form of [`EgressBaseline`].
#[derive(Debug, Serialize, Deserialize)]
pub struct EgressV1 {
    streams: Vec<StreamV1>,
    logged: Vec<f32>,
    feed_hour: u64,
    feed_hours: Vec<u64>,
    first_minute: Option<i64>,
    open_slot: i64,
    open_hour: i64,
    learned_day: i64,
    predicted_day: i64,
    active_days: u32,
    dispersion_days: f64,
    maxima: Vec<Vec<u16>>,
    maxima_days: u32,
    scale: Vec<[f64; 2]>,
    today: TodayV1,
    drip: (f64, u32, f64, f64),
    story: Option<(i64, f64, u64, u32, bool)>,
    known: Vec<(u64, i32, f32)>,
    candidates: Vec<CandidateV1>,
    clients: Vec<(u64, i32, i32)>,
    heavy: Vec<HeavyV1>,
    faded_to: i64,
    responses: HistogramV1,
    volumes: HistogramV1,
}

/// One stream.
#[derive(Debug, Serialize, Deserialize)]
struct StreamV1 {
    season: Vec<f32>,
    observed: Vec<f32>,
    expected: Vec<f32>,
    slots: Vec<f32>,
    open: [u64; 4],
    sizes: [f64; 3],
    level: [f64; 3],
    dispersion: [f64; 3],
}

/// The open day.
#[derive(Debug, Serialize, Deserialize)]
struct TodayV1 {
    plain: Vec<f64>,
    p: f64,
    p_new: f64,
    judged: bool,
    active: bool,
}

/// A new network.
#[derive(Debug, Serialize, Deserialize)]
struct CandidateV1 {
    key: u64,
    first_minute: i64,
    slots: Vec<u64>,
    hours: Vec<u64>,
    days: Vec<u64>,
}

/// A heavy caller.
#[derive(Debug, Serialize, Deserialize)]
struct HeavyV1 {
    key: CallerKeyV1,
    row: CallerRowV1,
    cells: Vec<(u32, [u32; 3])>,
    hours: Vec<u64>,
    best_minute: u64,
    recent: f64,
    usual: (f64, f64),
    today: u64,
}

/// HdrHistogram's V2 bytes with the landmark of its weights.
#[derive(Debug, Serialize, Deserialize)]
struct HistogramV1 {
    v2: Vec<u8>,
    landmark: i64,
}

impl From<&EgressBaseline> for EgressV1 {
    fn from(b: &EgressBaseline) -> EgressV1 {
        EgressV1 {
            streams: b.streams.iter().map(Into::into).collect(),
            logged: season(&b.logged),
            feed_hour: b.feed_hour,
            feed_hours: b.feed_hours.to_vec(),
            first_minute: b.first_minute,
            open_slot: b.open_slot,
            open_hour: b.open_hour,
            learned_day: b.learned_day,
            predicted_day: b.predicted_day,
            active_days: b.active_days,
            dispersion_days: b.dispersion_days,
            maxima: b.maxima.iter().map(|m| m.to_vec()).collect(),
            maxima_days: b.maxima_days,
            scale: b.scale.to_vec(),
            today: TodayV1 {
                plain: b.today.plain.to_vec(),
                p: b.today.p,
                p_new: b.today.p_new,
                judged: b.today.judged,
                active: b.today.active,
            },
            drip: (b.drip.q, b.drip.hours, b.drip.span.observed, b.drip.span.expected),
            story: b.story.map(|s| (s.last_hit.0, s.excess, s.caller, s.generation, s.new_network)),
            known: b.networks.known.iter().map(|k| (k.key.0, k.last_day, k.bytes)).collect(),
            candidates: b.networks.candidates.iter().map(Into::into).collect(),
            clients: clients(&b.networks),
            heavy: b.callers.heavy.iter().map(Into::into).collect(),
            faded_to: b.callers.faded_to,
            responses: (&b.responses).into(),
            volumes: (&b.volumes).into(),
        }
    }
}

impl TryFrom<EgressV1> for EgressBaseline {
    type Error = String;

    /// # Errors
    /// A length, code or number that no baseline can have; names the field.
    fn try_from(v: EgressV1) -> Result<EgressBaseline, String> {
        let streams: Vec<Stream> =
            v.streams.into_iter().map(Stream::try_from).collect::<Result<_, _>>()?;
        let streams: Box<[Stream; STREAMS]> =
            streams.into_boxed_slice().try_into().map_err(|_| wrong("streams"))?;
        let mut maxima = [[0; crate::baseline::egress::MAXIMA_KEPT]; SCALED];
        if v.maxima.len() != SCALED {
            return Err(wrong("maxima"));
        }
        for (ring, kept) in maxima.iter_mut().zip(&v.maxima) {
            *ring = array(kept, "maxima")?;
        }
        finite(v.scale.as_flattened(), "scale")?;
        let (q, drip_hours, observed, expected) = v.drip;
        finite(&[q, observed, expected, v.dispersion_days], "drip")?;
        finite(&v.today.plain, "today")?;
        finite(&[v.today.p, v.today.p_new], "today")?;
        let story = v.story.map(|(at, excess, caller, generation, new_network)| OpenStory {
            last_hit: Timestamp(at),
            excess,
            caller,
            generation,
            new_network,
        });
        finite(&story.map_or([0.0], |s| [s.excess]), "story")?;
        let possible = |at: i64| at == i64::MIN || at.abs() < TIMES_MAX;
        if ![v.open_slot, v.open_hour, v.learned_day, v.predicted_day].into_iter().all(possible) {
            return Err(wrong("times"));
        }
        Ok(EgressBaseline {
            streams,
            logged: Box::new(restore_season(&v.logged)?),
            feed_hour: v.feed_hour,
            feed_hours: array(&v.feed_hours, "feed_hours")?,
            first_minute: v.first_minute,
            open_slot: v.open_slot,
            open_hour: v.open_hour,
            learned_day: v.learned_day,
            predicted_day: v.predicted_day,
            active_days: v.active_days,
            dispersion_days: v.dispersion_days,
            maxima,
            maxima_days: v.maxima_days,
            scale: array(&v.scale, "scale")?,
            today: Today {
                plain: array(&v.today.plain, "today")?,
                p: v.today.p,
                p_new: v.today.p_new,
                judged: v.today.judged,
                active: v.today.active,
            },
            drip: Drip { q, hours: drip_hours, span: Span { observed, expected } },
            story,
            networks: restore_networks(v.known, v.candidates, v.clients)?,
            callers: restore_callers(v.heavy, v.faded_to)?,
            responses: v.responses.restore()?,
            volumes: v.volumes.restore()?,
        })
    }
}

fn wrong(field: &str) -> String {
    format!("`{field}` has the wrong length or a number that cannot be; restore a snapshot")
}

fn array<T: Copy, const N: usize>(values: &[T], field: &str) -> Result<[T; N], String> {
    values.try_into().map_err(|_| wrong(field))
}

fn finite(values: &[f64], field: &str) -> Result<(), String> {
    if values.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(wrong(field)) }
}

fn finite32(values: &[f32], field: &str) -> Result<(), String> {
    if values.iter().all(|v| v.is_finite()) { Ok(()) } else { Err(wrong(field)) }
}

/// Overall, 24 hours of day, 48 weekday/weekend hours, 168 hours of week.
fn season(s: &Season) -> Vec<f32> {
    [s.all].into_iter().chain(s.day).chain(s.part).chain(s.week).collect()
}

fn restore_season(values: &[f32]) -> Result<Season, String> {
    finite32(values, "season")?;
    let part = |from: usize, to: usize| values.get(from..to).ok_or_else(|| wrong("season"));
    if values.len() != 241 {
        return Err(wrong("season"));
    }
    Ok(Season {
        all: values[0],
        day: array(part(1, 25)?, "season")?,
        part: array(part(25, 73)?, "season")?,
        week: array(part(73, 241)?, "season")?,
    })
}

impl From<&Stream> for StreamV1 {
    fn from(s: &Stream) -> StreamV1 {
        StreamV1 {
            season: season(&s.season),
            observed: s.observed.to_vec(),
            expected: s.expected.to_vec(),
            slots: s.slots.to_vec(),
            open: [s.slot_bytes, s.hour_bytes, s.day_bytes, s.day_squares],
            sizes: [s.size_bytes, s.size_squares, s.size],
            level: [s.level_observed, s.level_expected, s.level],
            dispersion: s.dispersion,
        }
    }
}

impl TryFrom<StreamV1> for Stream {
    type Error = String;

    fn try_from(v: StreamV1) -> Result<Stream, String> {
        for values in [&v.observed, &v.expected, &v.slots] {
            finite32(values, "stream")?;
        }
        for values in [&v.sizes, &v.level, &v.dispersion] {
            finite(values, "stream")?;
        }
        let [slot_bytes, hour_bytes, day_bytes, day_squares] = v.open;
        let [size_bytes, size_squares, size] = v.sizes;
        let [level_observed, level_expected, level] = v.level;
        if level <= 0.0 {
            return Err(wrong("level"));
        }
        Ok(Stream {
            season: restore_season(&v.season)?,
            observed: array(&v.observed, "observed")?,
            expected: array(&v.expected, "expected")?,
            slots: array(&v.slots, "slots")?,
            slot_bytes,
            hour_bytes,
            day_bytes,
            day_squares,
            size_bytes,
            size_squares,
            size,
            level_observed,
            level_expected,
            level,
            dispersion: v.dispersion,
        })
    }
}

impl From<&Candidate> for CandidateV1 {
    fn from(c: &Candidate) -> CandidateV1 {
        CandidateV1 {
            key: c.key.0,
            first_minute: c.first_minute,
            slots: c.slots.to_vec(),
            hours: c.hours.to_vec(),
            days: c.days.to_vec(),
        }
    }
}

impl TryFrom<CandidateV1> for Candidate {
    type Error = String;

    fn try_from(v: CandidateV1) -> Result<Candidate, String> {
        Ok(Candidate {
            key: NetworkKey(v.key),
            first_minute: v.first_minute,
            slots: array(&v.slots, "candidate")?,
            hours: array(&v.hours, "candidate")?,
            days: array(&v.days, "candidate")?,
        })
    }
}

fn clients(n: &Networks) -> Vec<(u64, i32, i32)> {
    n.clients.iter().map(|c| (c.hash, c.first_day, c.last_day)).collect()
}

fn restore_networks(
    known: Vec<(u64, i32, f32)>,
    candidates: Vec<CandidateV1>,
    clients: Vec<(u64, i32, i32)>,
) -> Result<Networks, String> {
    let ascending = known.is_sorted_by(|a, b| a.0 < b.0) && clients.is_sorted_by(|a, b| a.0 < b.0);
    if !ascending || known.iter().any(|k| !k.2.is_finite()) {
        return Err(wrong("networks"));
    }
    let networks = Networks {
        known: known
            .into_iter()
            .map(|(key, last_day, bytes)| Known { key: NetworkKey(key), last_day, bytes })
            .collect(),
        candidates: candidates.into_iter().map(Candidate::try_from).collect::<Result<_, _>>()?,
        clients: clients
            .into_iter()
            .map(|(hash, first_day, last_day)| Client { hash, first_day, last_day })
            .collect(),
    };
    if networks.within_bounds() { Ok(networks) } else { Err(wrong("networks")) }
}

impl From<&HeavyCaller> for HeavyV1 {
    fn from(c: &HeavyCaller) -> HeavyV1 {
        HeavyV1 {
            key: (&c.key).into(),
            row: (&c.row).into(),
            cells: c.cells.iter().map(|(minute, place)| (*minute, place.packed())).collect(),
            hours: c.hours.to_vec(),
            best_minute: c.best_minute,
            recent: c.recent,
            usual: (c.usual_bytes, c.usual_days),
            today: c.today,
        }
    }
}

fn places(cells: &[(u32, [u32; 3])]) -> Result<[(u32, Place); CELLS_PLACED], String> {
    let cells: Vec<_> =
        cells.iter().map(|(minute, place)| (*minute, Place::unpack(*place))).collect();
    cells.try_into().map_err(|_| wrong("callers"))
}

fn restore_callers(heavy: Vec<HeavyV1>, faded_to: i64) -> Result<Callers, String> {
    let restore = |v: HeavyV1| -> Result<HeavyCaller, String> {
        finite(&[v.recent, v.usual.0, v.usual.1], "callers")?;
        Ok(HeavyCaller {
            key: v.key.restore().ok_or_else(|| wrong("callers"))?,
            row: v.row.restore().ok_or_else(|| wrong("callers"))?,
            cells: places(&v.cells)?,
            hours: array(&v.hours, "callers")?,
            best_minute: v.best_minute,
            recent: v.recent,
            usual_bytes: v.usual.0,
            usual_days: v.usual.1,
            today: v.today,
        })
    };
    let callers =
        Callers { heavy: heavy.into_iter().map(restore).collect::<Result<_, _>>()?, faded_to };
    if callers.within_bounds() { Ok(callers) } else { Err(wrong("callers")) }
}

impl From<&DecayedHistogram> for HistogramV1 {
    fn from(h: &DecayedHistogram) -> HistogramV1 {
        HistogramV1 { v2: h.to_bytes(), landmark: h.landmark().0 }
    }
}

impl HistogramV1 {
    fn restore(self) -> Result<DecayedHistogram, String> {
        DecayedHistogram::from_bytes(&self.v2, Timestamp(self.landmark))
            .ok_or_else(|| wrong("histogram"))
    }
}
