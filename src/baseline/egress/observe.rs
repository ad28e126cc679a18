//! Every ten minutes: all tests on the windows that end here.
use super::observation::{EgressObservation, HourPoint, NewNetwork, TestReading, TopCaller};
use super::prior::{SCALED, TEST_NAMES, TESTS};
use super::stream::{SLOTS_KEPT, Stream};
use super::{EgressBaseline, HeavyCaller, Novelty, Span, callers};
use crate::baseline::prior::Priors;
use crate::profile::EgressProfile;
use crate::stats::combine::weighted_bonferroni;
use crate::stats::gamma;
use crate::time::{HOUR_MS, MINUTE_MS, Timestamp};

/// Windows, hours.
pub const WINDOW_HOURS: [i64; 3] = [1, 6, 24];
/// Index of the cumulative sum among the tests.
pub(crate) const Q: usize = 3;
/// Index of the first test of one operation against the others.
pub(crate) const LO: usize = 4;
/// Index of the first new-network test.
pub(crate) const N: usize = SCALED;
/// Window of the last new-network test, hours.
const WEEK_HOURS: i64 = 168;
/// Smallest share of an expected day that a new network's score tells from nothing.
const NEW_SHARE_MIN: f64 = 1e-4;
/// Hours of the frozen series.
const SERIES_HOURS: i64 = 72;

/// Over-dispersion of a window, ready to give a variance.
#[derive(Clone, Copy)]
pub(crate) struct Phi {
    /// Learned.
    pub(crate) own: f64,
    /// Always added.
    floor: f64,
}

impl Phi {
    /// V = A M + (φ + floor) M².
    pub(crate) fn variance(self, size: f64, expected: f64) -> f64 {
        size * expected + (self.own + self.floor) * expected * expected
    }
}

/// The window's end and the hours that are closed in it.
#[derive(Clone, Copy)]
struct Moment {
    /// The ten-minute cell just closed.
    slot: i64,
    /// Its hour.
    hour: i64,
    /// Its end.
    end: Timestamp,
}

impl Moment {
    fn of(end: Timestamp) -> Moment {
        let slot = end.plus_ms(-1).minute().div_euclid(10);
        Moment { slot, hour: slot.div_euclid(6), end }
    }
    /// Start of window `w`.
    fn start(&self, w: usize) -> Timestamp {
        match WINDOW_HOURS[w] {
            1 => self.end.plus_ms(-HOUR_MS),
            hours => Timestamp::of_hour(self.hour - hours + 1),
        }
    }
}

impl EgressBaseline {
    /// Takes all tests at the end of a ten-minute cell that had data. `None` while the account is
    /// too young to judge.
    pub fn close_slot(
        &mut self,
        slot_end: Timestamp,
        priors: &Priors,
        profile: &EgressProfile,
    ) -> Option<EgressObservation> {
        self.first_minute?;
        let now = Moment::of(slot_end);
        if now.slot >= self.open_slot {
            self.leave_slot(now.slot + 1);
        }
        if !self.judged(slot_end, profile) {
            return None;
        }
        self.ensure_predicted(now.hour.div_euclid(24), priors, profile);
        if self.story.is_some_and(|s| self.quiet_hours(&s, now) > profile.story_quiet_hours) {
            self.story = None;
        }
        let novelty = self.networks.novelty(now.slot);
        let tests = self.read_tests(now, &novelty, priors, profile);
        Some(self.conclude(now, tests, &novelty, priors, profile))
    }

    fn quiet_hours(&self, story: &super::OpenStory, now: Moment) -> f64 {
        now.end.since(story.last_hit) as f64 / HOUR_MS as f64
    }

    /// Over-dispersion of stream `i` in window `w`.
    pub(crate) fn phi(&self, i: usize, w: usize, priors: &Priors, p: &EgressProfile) -> Phi {
        let population = f64::from(priors.egress.dispersion[usize::from(i > 0)][w]);
        let own = self.streams[i].phi(w, self.dispersion_days, population, p);
        Phi { own, floor: p.dispersion_floor }
    }

    /// Stream `i` over some hours; an operation class (i > 0) with its expectation corrected by
    /// what the other operations did: M·clip((S_r + c)/(M_r + c), .5, 4), c = 20 A + .1 M_r.
    pub(crate) fn controlled(
        &self,
        i: usize,
        span: impl Fn(&Stream) -> Span,
        p: &EgressProfile,
    ) -> Span {
        let own = span(&self.streams[i]);
        if i == 0 {
            return own;
        }
        let total = span(&self.streams[0]);
        let rest_seen = (total.observed - own.observed).max(0.0);
        let rest_expected = (total.expected - own.expected).max(0.0);
        let c = p.control_steady[0] * self.streams[0].size + p.control_steady[1] * rest_expected;
        if c <= 0.0 {
            return own;
        }
        let [low, high] = p.control_bounds;
        own.scaled(((rest_seen + c) / (rest_expected + c)).clamp(low, high))
    }

    /// Window `w` of a stream. The hour that is open counts as far as it has come.
    fn window(&self, stream: &Stream, now: Moment, w: usize) -> Span {
        if w == 0 {
            return self.slots(stream, now, now.slot - SLOTS_KEPT as i64 + 1);
        }
        self.since(stream, now, now.hour - WINDOW_HOURS[w] + 1)
    }

    /// A stream from hour `first` to now.
    fn since(&self, stream: &Stream, now: Moment, first: i64) -> Span {
        let open = self.slots(stream, now, now.hour * 6);
        let closed = stream.span(first, now.hour);
        Span {
            observed: closed.observed + open.observed,
            expected: closed.expected + open.expected,
        }
    }

    /// The closed ten-minute cells from `first` (at most an hour back) to now.
    fn slots(&self, stream: &Stream, now: Moment, first: i64) -> Span {
        let mut sum = Span::default();
        for slot in first..=now.slot {
            let hour = slot.div_euclid(6);
            if hour == now.hour || self.streams[0].observed(hour).is_some() {
                sum.observed += f64::from(stream.slots[slot.rem_euclid(6) as usize]);
                sum.expected += stream.expected(hour) / 6.0;
            }
        }
        sum
    }

    fn read_tests(
        &mut self,
        now: Moment,
        novelty: &[Option<Novelty>; 3],
        priors: &Priors,
        profile: &EgressProfile,
    ) -> [TestReading; TESTS] {
        let day_scale = self.day_scale(now.hour.div_euclid(24), profile);
        let total_weight: f64 = profile.weights.iter().sum();
        let mut tests = [TestReading::empty(); TESTS];
        for w in 0..3 {
            tests[w] = self.volume_test(0, w, now, day_scale, priors, profile);
            let strongest = (1..self.streams.len())
                .map(|i| self.volume_test(i, w, now, day_scale, priors, profile))
                .reduce(|a, b| if b.rank() > a.rank() { b } else { a });
            tests[LO + w] = strongest.unwrap_or(tests[w]);
            tests[N + w] = self.novelty_test(w, now, novelty[w], day_scale, profile);
        }
        tests[Q] = self.drip_test(profile, priors);
        for (k, t) in tests.iter_mut().enumerate() {
            t.name = TEST_NAMES[k];
            t.weight = profile.weights[k] / total_weight;
            if k < SCALED && t.counted {
                self.today.plain[k] = self.today.plain[k].max(t.score);
            }
            t.standardised = match self.scale.get(k) {
                Some([centre, spread]) => (t.score - centre) / spread,
                None => t.score,
            };
            t.p = if t.material { priors.egress.survival(k, t.standardised) } else { 1.0 };
        }
        self.today.judged = true;
        tests
    }

    /// Gamma upper tail of window `w` of stream `i`, in normal units.
    fn volume_test(
        &self,
        i: usize,
        w: usize,
        now: Moment,
        day_scale: f64,
        priors: &Priors,
        profile: &EgressProfile,
    ) -> TestReading {
        let span = self.controlled(i, |s| self.window(s, now, w), profile);
        let variance =
            self.phi(i, w, priors, profile).variance(self.streams[i].size, span.expected);
        TestReading {
            window_hours: WINDOW_HOURS[w] as f64,
            observed: span.observed,
            expected: span.expected,
            variance,
            score: volume_score(span, variance),
            material: span.observed - span.expected >= profile.materiality[w] * day_scale,
            counted: self.counts(now.start(w)),
            ..TestReading::empty()
        }
    }

    fn drip_test(&self, profile: &EgressProfile, priors: &Priors) -> TestReading {
        let Span { observed, expected } = self.drip.span;
        let phi = self.phi(0, 2, priors, profile);
        TestReading {
            window_hours: f64::from(self.drip.hours),
            observed,
            expected,
            variance: phi.variance(self.streams[0].size, expected),
            score: self.drip.q,
            material: self.drip.q > 0.0,
            counted: true,
            ..TestReading::empty()
        }
    }

    /// ln(max(x, 1e-4)/1e-4), x the new network's bytes in expected days. Bytes that the account
    /// would have given anyway (a client that moved) count for a tenth.
    fn novelty_test(
        &self,
        w: usize,
        now: Moment,
        novelty: Option<Novelty>,
        day_scale: f64,
        profile: &EgressProfile,
    ) -> TestReading {
        let bytes = novelty.map_or(0.0, |n| n.bytes as f64);
        let total = &self.streams[0];
        let week = (now.end.plus_ms(-1).day() - 6) * 24;
        let (hours, start, account) = match w {
            2 => (WEEK_HOURS, Timestamp::of_hour(week), self.since(total, now, week)),
            1 => (24, now.start(2), self.window(total, now, 2)),
            _ => (1, now.start(0), self.window(total, now, 0)),
        };
        let excess = account.observed - account.expected;
        let beyond = bytes.min(excess.max(profile.moved_share * bytes));
        let first_seen = novelty.map(|n| Timestamp::of_minute(n.first_minute));
        let share = if day_scale > 0.0 { beyond / day_scale } else { 0.0 };
        let score = (share.max(NEW_SHARE_MIN) / NEW_SHARE_MIN).ln();
        TestReading {
            window_hours: hours as f64,
            observed: bytes,
            score,
            material: score > 0.0,
            // Before it was first seen there was nothing to explain.
            counted: self.counts(first_seen.map_or(start, |f| f.max(start))),
            ..TestReading::empty()
        }
    }

    /// A window that begins at `start` begins after the last counted hit.
    fn counts(&self, start: Timestamp) -> bool {
        self.story.is_none_or(|s| start >= s.last_hit)
    }

    fn conclude(
        &mut self,
        now: Moment,
        tests: [TestReading; TESTS],
        novelty: &[Option<Novelty>; 3],
        priors: &Priors,
        profile: &EgressProfile,
    ) -> EgressObservation {
        let pairs = |counted: bool| {
            tests.map(|t| (if t.counted || !counted { t.p } else { 1.0 }, t.weight))
        };
        let (p_now, by_counted) = weighted_bonferroni(&pairs(true));
        let (p_unexplained, by_all) = weighted_bonferroni(&pairs(false));
        let [p_now, p_unexplained] = [p_now, p_unexplained].map(|p| p * profile.combination);
        // A story that is open without this mark may still be lifted by windows that it explains.
        let marked = self.story.is_none_or(|s| s.new_network);
        let new_weight: f64 = tests[N..].iter().map(|t| t.weight).sum();
        let new: Vec<(f64, f64)> =
            pairs(marked)[N..].iter().map(|(p, w)| (*p, w / new_weight)).collect();
        let (p_new_now, _) = weighted_bonferroni(&new);
        self.today.p = self.today.p.min(p_now);
        self.today.p_new = self.today.p_new.min(p_new_now);
        let fresh = p_now <= p_unexplained;
        let mut o = EgressObservation {
            at: now.end,
            tests,
            p_now,
            p_day: self.today.p,
            p_new_now,
            p_new_day: self.today.p_new,
            p_unexplained,
            deciding: if fresh { by_counted } else { by_all },
            escalates: false,
            generation: self.story.map_or(0, |s| s.generation),
            day_scale: self.day_scale(now.hour.div_euclid(24), profile),
            top: None,
            new_network: strongest_new(&tests, novelty),
            series: Vec::new(),
            band: self.band_model(now.hour, priors, profile),
        };
        if p_unexplained <= profile.evidence_p {
            self.add_evidence(&mut o, now, fresh, profile);
        }
        o
    }

    fn add_evidence(&self, o: &mut EgressObservation, now: Moment, fresh: bool, p: &EgressProfile) {
        let hours = (o.tests[o.deciding].window_hours.ceil() as i64).clamp(1, 24);
        o.top = self.callers.top(now.hour, hours).map(|c| self.top_caller(c, now, hours, p));
        if let Some(story) = self.story
            && !fresh
        {
            let caller = o.top.as_ref().map_or(0, |t| t.hash);
            let another = caller != story.caller
                && o.top.as_ref().is_some_and(|t| t.excess >= p.materiality[0] * o.day_scale);
            o.escalates = another || o.excess() > p.escalation * story.excess;
            if o.escalates {
                o.generation = story.generation.saturating_add(1);
            }
        }
        let total = &self.streams[0];
        o.series = (now.hour - SERIES_HOURS + 1..=now.hour)
            .map(|hour| HourPoint {
                hour,
                observed: if hour == self.open_hour {
                    Some(total.hour_bytes as f64)
                } else {
                    total.observed(hour)
                },
                expected: total.expected(hour),
            })
            .collect();
    }

    fn top_caller(&self, c: &HeavyCaller, now: Moment, hours: i64, p: &EgressProfile) -> TopCaller {
        let day = now.hour.div_euclid(24) as i32;
        let first = self.first_minute.unwrap_or_default().div_euclid(1440) as i32;
        let is_new = |hash: u64| self.networks.client_is_new(hash, first, day, p);
        TopCaller {
            key: c.key.clone(),
            row: c.row.clone(),
            records: c.records(),
            hash: callers::caller_hash(&c.key),
            bytes: c.taken(now.hour, hours) as f64,
            excess: c.excess(now.hour, hours),
            new_principal: is_new(callers::credential_hash(&c.key.credential)),
            new_client: is_new(callers::family_hash(&c.key.family)),
        }
    }
}

/// u with P(Z > u) = P(X > S) for X ~ Gamma(M²/V, scale V/M); 0 unless S > M.
pub(crate) fn volume_score(span: Span, variance: f64) -> f64 {
    let Span { observed, expected } = span;
    if observed <= expected || variance <= 0.0 || expected <= 0.0 {
        return 0.0;
    }
    let u = gamma::upper_tail_score(expected * expected / variance, observed * expected / variance);
    if u.is_nan() { 0.0 } else { u.max(0.0) }
}

/// The candidate of the strongest new-network test.
fn strongest_new(
    tests: &[TestReading; TESTS],
    novelty: &[Option<Novelty>; 3],
) -> Option<NewNetwork> {
    let best = (0..3).filter(|w| novelty[*w].is_some()).min_by(|a, b| {
        let bound = |w: usize| tests[N + w].p / tests[N + w].weight;
        bound(*a).total_cmp(&bound(*b))
    })?;
    novelty[best].map(|n| NewNetwork {
        key: n.key,
        bytes: n.bytes as f64,
        first_seen: Timestamp::of_minute(n.first_minute),
    })
}

/// A ten-minute cell.
const _: () = assert!(10 * MINUTE_MS * SLOTS_KEPT as i64 == HOUR_MS);
