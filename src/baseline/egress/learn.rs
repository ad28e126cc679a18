//! Midnight: what the day's closed hours teach.
use super::observe::{LO, Q, WINDOW_HOURS};
use super::prior::{EgressContribution, SCALED, class_of, median, quantile};
use super::{EgressBaseline, MAXIMA_KEPT, MAXIMUM_UNIT, STREAMS, Span, Today, fixed};
use crate::baseline::prior::Priors;
use crate::profile::EgressProfile;
use crate::time::Timestamp;

impl EgressBaseline {
    /// Learns from `day`, which has just ended, and predicts the next one. Returns what the
    /// population may learn, on days with logs.
    pub fn close_day(
        &mut self,
        day: i64,
        priors: &Priors,
        profile: &EgressProfile,
    ) -> Option<EgressContribution> {
        self.first_minute?;
        if day <= self.learned_day {
            return None;
        }
        let days = if self.learned_day == i64::MIN { 1 } else { day - self.learned_day } as f64;
        self.ensure_predicted(day, priors, profile);
        let hours: Vec<i64> = (day * 24..day * 24 + 24)
            .filter(|h| *h < self.open_hour && self.streams[0].observed(*h).is_some())
            .collect();
        let judged = self.judged(Timestamp::of_day(day), profile);
        if judged && !hours.is_empty() {
            self.learn_dispersion(day, days, priors, profile);
            self.keep_maxima();
        }
        self.learn_seasons(&hours, days, priors, profile);
        self.learn_levels(day, &hours, days, profile);
        self.learn_sizes(days, priors, profile);
        self.networks.midnight(day, days, profile);
        self.callers.midnight(days, profile);
        self.active_days = self.active_days.saturating_add(u32::from(self.today.active));
        self.today = Today::new();
        self.learned_day = day;
        for stream in self.streams.iter_mut() {
            stream.predict(day + 1, &self.logged, profile);
        }
        self.predicted_day = day + 1;
        self.refresh_scale(day + 1, priors, profile);
        (!hours.is_empty() && self.maxima_days > 0).then(|| self.contribution(day + 1))
    }

    /// q ← max(0, q·2^(−days/21) + (Σ min(S−M, 2.5 √V)² − A M)/Σ M²) over the day's windows.
    fn learn_dispersion(&mut self, day: i64, days: f64, priors: &Priors, p: &EgressProfile) {
        let fade = (-days / p.dispersion_half_life_days).exp2();
        for stream in 0..STREAMS {
            for (w, hours) in WINDOW_HOURS.iter().enumerate() {
                let phi = self.phi(stream, w, priors, p);
                let size = self.streams[stream].size;
                let (mut excess, mut square) = (0.0, 0.0);
                for from in (day * 24..day * 24 + 24).step_by(*hours as usize) {
                    let span = self.controlled(stream, |s| s.span(from, from + hours), p);
                    let variance = phi.variance(size, span.expected);
                    let d = (span.observed - span.expected)
                        .min(p.dispersion_clip * variance.max(0.0).sqrt());
                    excess += d * d - size * span.expected;
                    square += span.expected * span.expected;
                }
                let q = &mut self.streams[stream].dispersion[w];
                let today = if square > 0.0 { excess / square } else { 0.0 };
                *q = (*q * fade + today).max(0.0);
            }
        }
        self.dispersion_days = self.dispersion_days * fade + 1.0;
    }

    /// The day's maxima teach the account's own scale.
    fn keep_maxima(&mut self) {
        if !self.today.judged {
            return;
        }
        let at = self.maxima_days as usize % MAXIMA_KEPT;
        for (ring, maximum) in self.maxima.iter_mut().zip(self.today.plain) {
            ring[at] = fixed(maximum);
        }
        self.maxima_days = self.maxima_days.saturating_add(1);
    }

    fn learn_seasons(&mut self, hours: &[i64], days: f64, priors: &Priors, p: &EgressProfile) {
        let first = self.first_minute.unwrap_or_default().div_euclid(60);
        self.logged.decay(days, p);
        for &hour in hours {
            self.logged.add(hour, 1.0);
        }
        for i in 0..STREAMS {
            let phi = self.phi(i, 0, priors, p).own;
            let stream = &mut self.streams[i];
            stream.season.decay(days, p);
            for &hour in hours {
                let young = ((hour - first) as f64) < p.winsor_after_days * 24.0;
                let b = if young {
                    stream.observed(hour).unwrap_or(0.0)
                } else {
                    stream.winsorised(hour, phi, p)
                };
                stream.season.add(hour, b);
            }
        }
    }

    /// The level follows observed against expected days, each day bounded.
    fn learn_levels(&mut self, day: i64, hours: &[i64], days: f64, p: &EgressProfile) {
        let fade = (-days / p.level_half_life_days).exp2();
        // The first day was predicted from nothing.
        let predicted = self.learned_day != i64::MIN;
        for stream in self.streams.iter_mut() {
            stream.level_observed *= fade;
            stream.level_expected *= fade;
            if predicted && !hours.is_empty() {
                let span = stream.span(day * 24, day * 24 + 24);
                let [low, high] = p.level_day_bounds;
                let seen = span.observed.clamp(low * span.expected, high * span.expected);
                stream.level_observed += seen;
                stream.level_expected += span.expected / stream.level;
            }
            stream.refresh_level(&self.logged, p);
        }
    }

    /// Response sizes; a quarantined day teaches none.
    fn learn_sizes(&mut self, days: f64, priors: &Priors, p: &EgressProfile) {
        let fade = (-days / p.half_life_days).exp2();
        let trusted = self.today.p >= p.quarantine_p;
        for stream in self.streams.iter_mut() {
            stream.size_bytes *= fade;
            stream.size_squares *= fade;
            if trusted {
                stream.size_bytes += stream.day_bytes as f64;
                stream.size_squares += stream.day_squares as f64 * 1024.0;
            }
            (stream.day_bytes, stream.day_squares) = (0, 0);
            stream.refresh_size(f64::from(priors.egress.size), p);
        }
    }

    /// Median and spread of the account's own daily maxima.
    fn own_scale(&self, test: usize) -> Option<(f64, f64)> {
        let n = (self.maxima_days as usize).min(MAXIMA_KEPT);
        let kept: Vec<f64> =
            self.maxima[test][..n].iter().map(|m| f64::from(*m) / MAXIMUM_UNIT).collect();
        let middle = median(kept.clone())?;
        Some((middle, quantile(kept, 0.9)? - middle))
    }

    /// a = (n·median + 10 a_c)/(n + 10), s = (n·min(q90 − median, 3 s_c) + 20 s_c)/(n + 20).
    fn refresh_scale(&mut self, day: i64, priors: &Priors, p: &EgressProfile) {
        let class = self.class(day);
        let n = self.maxima_days.min(MAXIMA_KEPT as u32) as f64;
        let [k_centre, k_spread] = p.scale_prior_days;
        for test in 0..SCALED {
            let centre = f64::from(priors.egress.centre[class][test]);
            let spread = f64::from(priors.egress.spread[class][test]);
            let (own, wide) = self.own_scale(test).unwrap_or((centre, spread));
            let a = (n * own + k_centre * centre) / (n + k_centre);
            let s = (n * wide.min(p.scale_cap * spread) + k_spread * spread) / (n + k_spread);
            self.scale[test] = [a, s.max(p.scale_min)];
        }
    }

    /// Class by effective responses a day.
    fn class(&self, day: i64) -> usize {
        let total = &self.streams[0];
        class_of(total.expected_day(day) / total.size.max(1.0))
    }

    fn contribution(&self, day: i64) -> EgressContribution {
        let mut c = EgressContribution {
            class: self.class(day) as u8,
            days: self.maxima_days.min(MAXIMA_KEPT as u32),
            size: self.streams[0].size as f32,
            ..EgressContribution::default()
        };
        for test in 0..SCALED {
            let (centre, spread) = self.own_scale(test).unwrap_or_default();
            (c.centre[test], c.spread[test]) = (centre as f32, spread as f32);
        }
        let n = self.dispersion_days.max(1.0);
        for w in 0..3 {
            c.dispersion[0][w] = (self.streams[0].dispersion[w] / n) as f32;
            let own: f64 = self.streams[1..].iter().map(|s| s.dispersion[w] / n).sum();
            c.dispersion[1][w] = (own / (STREAMS - 1) as f64) as f32;
        }
        c
    }
}

/// The tests whose maxima are kept lie before the new-network tests.
const _: () = assert!(LO + 3 == SCALED && Q < LO);

impl Span {
    /// The span with its expectation multiplied.
    pub(crate) fn scaled(self, factor: f64) -> Span {
        Span { expected: self.expected * factor, ..self }
    }
}
