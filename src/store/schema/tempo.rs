//! Persisted form of an account's rhythm and coverage.
use serde::{Deserialize, Serialize};

use crate::baseline::tempo::{GAP_DAYS, Slot, TempoBaseline};
use crate::event::Category;
use crate::stats::decay::Decayed;
use crate::time::Timestamp;

/// A decayed sum: landmark (milliseconds since the epoch) and sum.
pub(super) type DecayedV1 = (i64, f64);

pub(super) fn decayed(d: &Decayed) -> DecayedV1 {
    (d.landmark.0, d.sum)
}

pub(super) fn restore_decayed((landmark, sum): DecayedV1) -> Result<Decayed, &'static str> {
    if !sum.is_finite() || sum < 0.0 {
        return Err("a decayed sum is no count");
    }
    Ok(Decayed { landmark: Timestamp(landmark), sum })
}

/// Mirror of [`TempoBaseline`].
#[derive(Debug, Serialize, Deserialize)]
pub struct TempoV1 {
    landmark: i64,
    slots: Vec<(f64, f64, f64)>,
    first_hour: Option<i64>,
    last_hour: i64,
    silence_ln_p: (f64, f64),
    active: (u32, i64),
    gaps: Vec<(i64, u8)>,
    first_minute: Option<i64>,
    categories: Vec<Option<i64>>,
    requests: DecayedV1,
    throttled: DecayedV1,
    total_requests: u64,
}

impl From<&TempoBaseline> for TempoV1 {
    fn from(t: &TempoBaseline) -> TempoV1 {
        TempoV1 {
            landmark: t.landmark.0,
            slots: t.slots.iter().map(|s| (s.requests, s.logged, s.silent)).collect(),
            first_hour: t.first_hour,
            last_hour: t.last_hour,
            silence_ln_p: (t.silence_new_ln_p, t.silence_known_ln_p),
            active: (t.active_days, t.last_active_day),
            gaps: t.gaps.clone(),
            first_minute: t.first_minute,
            categories: t.categories.to_vec(),
            requests: decayed(&t.requests),
            throttled: decayed(&t.throttled),
            total_requests: t.total_requests,
        }
    }
}

impl TryFrom<TempoV1> for TempoBaseline {
    type Error = &'static str;
    fn try_from(v: TempoV1) -> Result<TempoBaseline, &'static str> {
        let sound = |x: f64| x.is_finite() && x >= 0.0;
        if v.slots.len() != TempoBaseline::default().slots.len()
            || !v.slots.iter().all(|(r, l, s)| sound(*r) && sound(*l) && sound(*s))
        {
            return Err("the hours of the day are not sound");
        }
        let (silence_new_ln_p, silence_known_ln_p) = v.silence_ln_p;
        if !(silence_new_ln_p <= 0.0 && silence_known_ln_p <= 0.0) {
            return Err("the silence has no probability");
        }
        if v.gaps.len() > GAP_DAYS as usize || !v.gaps.is_sorted_by(|a, b| a.0 < b.0) {
            return Err("the gaps are out of order");
        }
        // Categories may be added at the end; those that this build does not know are dropped.
        let mut categories = [None; Category::ALL.len()];
        for (slot, known) in categories.iter_mut().zip(v.categories) {
            *slot = known;
        }
        Ok(TempoBaseline {
            landmark: Timestamp(v.landmark),
            slots: v
                .slots
                .into_iter()
                .map(|(requests, logged, silent)| Slot { requests, logged, silent })
                .collect(),
            first_hour: v.first_hour,
            last_hour: v.last_hour,
            silence_new_ln_p,
            silence_known_ln_p,
            active_days: v.active.0,
            last_active_day: v.active.1,
            gaps: v.gaps,
            first_minute: v.first_minute,
            categories,
            requests: restore_decayed(v.requests)?,
            throttled: restore_decayed(v.throttled)?,
            total_requests: v.total_requests,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rhythm_comes_back_and_a_broken_one_is_refused() {
        let mut tempo = TempoBaseline::new();
        for hour in 480_000..480_400 {
            tempo.close_hour(hour, if hour % 7 == 0 || hour > 480_390 { 0 } else { 100 });
        }
        assert!(serde_json::to_string(&TempoV1::from(&tempo)).is_ok());
        assert_eq!(TempoBaseline::try_from(TempoV1::from(&tempo)), Ok(tempo.clone()));
        let mut broken = TempoV1::from(&tempo);
        broken.slots[3].1 = f64::NAN;
        assert!(TempoBaseline::try_from(broken).is_err());
        let mut broken = TempoV1::from(&tempo);
        broken.slots.pop();
        assert!(TempoBaseline::try_from(broken).is_err());
    }
}
