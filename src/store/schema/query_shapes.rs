//! Queries of an account, and its malformed requests.
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::cell::{CallerKeyV1, CallerRowV1, SetV1, restore_set, set};
use super::query_cell::{AnswerV1, QueryRowV1, answer, language, restore_answer};
use crate::baseline::query_shapes::errors::{BINS, BURST_DAYS_MAX, Campaign, SPANS};
use crate::baseline::query_shapes::refused::{DAY_HOURS, HourRefused, Refused};
use crate::baseline::query_shapes::{
    CHANGES_MAX, Carry, Change, ErrorsBaseline, KeptTokens, QueryShapes, SHAPES_MAX, Shape,
    TEXT_BYTES_MAX, TOKENS_KEPT_MAX, WAITING_MAX, Waiting,
};
use crate::event::TOKENS_MAX;
use crate::limits;
use crate::stats::decay::Decayed;
use crate::time::Timestamp;

#[derive(Debug, Serialize, Deserialize)]
struct ShapeV1 {
    key: u64,
    kin: u32,
    weight: f32,
    days: (u16, u16),
    signs: u32,
    bytes: [f32; 3],
    rows_max: u32,
    principals: [u16; 4],
}

#[derive(Debug, Serialize, Deserialize)]
struct CarryV1 {
    minute: i64,
    answers: Vec<AnswerV1>,
    callers: Vec<(u64, CallerKeyV1, CallerRowV1)>,
    waiting: Vec<(i64, QueryRowV1)>,
}

/// Persisted form of the facet.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueryShapesV1 {
    landmark: i64,
    shapes: Vec<ShapeV1>,
    tokens: Vec<(u64, u8, Vec<u16>, String)>,
    waiting: Vec<(u64, u16, u16, u16)>,
    arrivals: (i64, f64),
    exposure: (i64, f64),
    changes: Vec<(i64, u64)>,
    first_minute: Option<i64>,
    first_day: Option<i64>,
    active_days: u32,
    day_has_text: bool,
    dropped: u64,
    carry: CarryV1,
}

fn tokens(t: &KeptTokens) -> (u64, u8, Vec<u16>, String) {
    (t.key, t.language as u8, t.tokens.to_vec(), t.text.to_string())
}

fn decayed(d: &Decayed) -> (i64, f64) {
    (d.landmark.0, d.sum)
}

fn restore_decayed((landmark, sum): (i64, f64)) -> Decayed {
    Decayed { landmark: Timestamp(landmark), sum }
}

impl From<&QueryShapes> for QueryShapesV1 {
    fn from(q: &QueryShapes) -> QueryShapesV1 {
        QueryShapesV1 {
            landmark: q.landmark.0,
            shapes: q.shapes.iter().map(Into::into).collect(),
            tokens: q.tokens.iter().map(tokens).collect(),
            waiting: q.waiting.iter().map(|w| (w.key, w.first_day, w.last_day, w.days)).collect(),
            arrivals: decayed(&q.arrivals),
            exposure: decayed(&q.exposure),
            changes: q.changes.iter().map(|c| (c.minute, c.key)).collect(),
            first_minute: q.first_minute,
            first_day: q.first_day,
            active_days: q.active_days,
            day_has_text: q.day_has_text,
            dropped: q.dropped,
            carry: (&q.carry).into(),
        }
    }
}

impl From<&Shape> for ShapeV1 {
    fn from(s: &Shape) -> ShapeV1 {
        ShapeV1 {
            key: s.key,
            kin: s.kin,
            weight: s.weight,
            days: (s.first_day, s.last_day),
            signs: s.signs,
            bytes: s.bytes,
            rows_max: s.rows_max,
            principals: s.principals,
        }
    }
}

impl ShapeV1 {
    fn restore(self) -> Option<Shape> {
        let sound = self.weight >= 0.0 && self.bytes.iter().all(|b| b.is_finite());
        sound.then_some(Shape {
            key: self.key,
            kin: self.kin,
            weight: self.weight,
            first_day: self.days.0,
            last_day: self.days.1,
            signs: self.signs,
            bytes: self.bytes,
            rows_max: self.rows_max,
            principals: self.principals,
        })
    }
}

impl From<&Carry> for CarryV1 {
    fn from(c: &Carry) -> CarryV1 {
        CarryV1 {
            minute: c.minute,
            answers: c.answers.iter().map(answer).collect(),
            callers: c.callers.iter().map(|(h, k, r)| (*h, k.into(), r.into())).collect(),
            waiting: c.waiting.iter().map(|(minute, row)| (*minute, row.into())).collect(),
        }
    }
}

impl CarryV1 {
    fn restore(self) -> Option<Carry> {
        let callers = self.callers.into_iter();
        let callers = callers.map(|(h, k, r)| Some((h, k.restore()?, r.restore()?)));
        let waiting = self.waiting.into_iter().map(|(minute, row)| Some((minute, row.restore()?)));
        let carry = Carry {
            minute: self.minute,
            answers: self.answers.into_iter().map(restore_answer).collect(),
            callers: callers.collect::<Option<_>>()?,
            waiting: waiting.collect::<Option<_>>()?,
        };
        let bounded = carry.answers.len() <= limits::CELL_ANSWERS_MAX
            && carry.callers.len() <= limits::CELL_CALLERS_MAX
            && carry.waiting.len() <= limits::CELL_QUERIES_MAX;
        bounded.then_some(carry)
    }
}

impl QueryShapesV1 {
    pub(super) fn restore(self) -> Result<QueryShapes, String> {
        let shapes = self.shapes.into_iter().map(ShapeV1::restore);
        let shapes: Vec<Shape> = shapes.collect::<Option<_>>().ok_or("a shape is no shape")?;
        let tokens = self.tokens.into_iter().map(|(key, code, tokens, text)| {
            let language = language(code)?;
            let bounded = tokens.len() <= TOKENS_MAX && text.len() <= TEXT_BYTES_MAX;
            let (tokens, text) = (tokens.into(), text.into());
            bounded.then_some(KeptTokens { key, language, tokens, text })
        });
        let tokens: Vec<KeptTokens> =
            tokens.collect::<Option<_>>().ok_or("the tokens of a shape are too many")?;
        let waiting = self.waiting.into_iter().map(|(key, first_day, last_day, days)| Waiting {
            key,
            first_day,
            last_day,
            days,
        });
        let waiting: Vec<Waiting> = waiting.collect();
        let bounded = shapes.len() <= SHAPES_MAX
            && tokens.len() <= TOKENS_KEPT_MAX
            && waiting.len() <= WAITING_MAX
            && self.changes.len() <= CHANGES_MAX;
        let ascending = shapes.is_sorted_by(|a, b| a.key < b.key)
            && tokens.is_sorted_by(|a, b| a.key < b.key)
            && waiting.is_sorted_by(|a, b| a.key < b.key);
        if !bounded || !ascending {
            return Err("too many shapes, or not in order".to_owned());
        }
        Ok(QueryShapes {
            landmark: Timestamp(self.landmark),
            shapes,
            tokens,
            waiting,
            arrivals: restore_decayed(self.arrivals),
            exposure: restore_decayed(self.exposure),
            changes: self.changes.into_iter().map(|(minute, key)| Change { minute, key }).collect(),
            first_minute: self.first_minute,
            first_day: self.first_day,
            active_days: self.active_days,
            day_has_text: self.day_has_text,
            dropped: self.dropped,
            carry: self.carry.restore().ok_or("what a cell left for the next is too much")?,
        })
    }
}

/// Malformed requests.
#[derive(Debug, Serialize, Deserialize)]
pub struct ErrorsV1 {
    landmark: i64,
    bins: [[f64; BINS]; SPANS],
    burst_days: Vec<i64>,
    days: u32,
    spans: (u64, u64),
    ends: (Option<i64>, i64, i64),
    recent: Vec<HourRefusedV1>,
    campaign: Option<(i64, i64)>,
}

/// Count, texts, first, signs; then what is kept of places, lengths, addresses.
#[derive(Debug, Serialize, Deserialize)]
struct HourRefusedV1 {
    hour: i64,
    counts: (u64, u64, i64, u32),
    error_places: SetV1<u64>,
    lengths: SetV1<u64>,
    addresses: SetV1<IpAddr>,
}

impl From<&HourRefused> for HourRefusedV1 {
    fn from(h: &HourRefused) -> HourRefusedV1 {
        let r = &h.refused;
        HourRefusedV1 {
            hour: h.hour,
            counts: (r.count, r.texts, r.first.0, r.signs),
            error_places: set(&r.error_places),
            lengths: set(&r.lengths),
            addresses: set(&r.addresses),
        }
    }
}

impl HourRefusedV1 {
    fn restore(self) -> HourRefused {
        let (count, texts, first, signs) = self.counts;
        HourRefused {
            hour: self.hour,
            refused: Refused {
                count,
                texts,
                first: Timestamp(first),
                signs,
                error_places: restore_set(self.error_places),
                lengths: restore_set(self.lengths),
                addresses: restore_set(self.addresses),
            },
        }
    }
}

impl From<&ErrorsBaseline> for ErrorsV1 {
    fn from(e: &ErrorsBaseline) -> ErrorsV1 {
        ErrorsV1 {
            landmark: e.landmark.0,
            bins: e.bins,
            burst_days: e.burst_days.clone(),
            days: e.days,
            spans: (e.hours, e.cells),
            ends: (e.first_day, e.last_day, e.last_hour),
            recent: e.recent.iter().map(Into::into).collect(),
            campaign: e.campaign.map(|c| (c.hour, c.last.0)),
        }
    }
}

impl ErrorsV1 {
    pub(super) fn restore(self) -> Option<ErrorsBaseline> {
        let sound = self.bins.iter().flatten().all(|b| b.is_finite() && *b >= 0.0)
            && self.burst_days.len() <= BURST_DAYS_MAX
            && self.recent.len() <= DAY_HOURS as usize
            && self.recent.windows(2).all(|h| h[0].hour < h[1].hour);
        sound.then_some(ErrorsBaseline {
            landmark: Timestamp(self.landmark),
            bins: self.bins,
            burst_days: self.burst_days,
            days: self.days,
            hours: self.spans.0,
            cells: self.spans.1,
            first_day: self.ends.0,
            last_day: self.ends.1,
            last_hour: self.ends.2,
            recent: self.recent.into_iter().map(HourRefusedV1::restore).collect(),
            campaign: self.campaign.map(|(hour, last)| Campaign { hour, last: Timestamp(last) }),
        })
    }
}
