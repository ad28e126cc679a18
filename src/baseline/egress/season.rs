//! Decayed sums by hour: overall, by hour of day, by weekday/weekend hour, by hour of week; and
//! the mean that shrinks each towards the coarser one.
use crate::profile::EgressProfile;
use crate::time::Timestamp;

/// Decayed sums (of bytes, or of logged hours) over the four divisions of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Season {
    pub(crate) all: f32,
    pub(crate) day: [f32; 24],
    pub(crate) part: [f32; 48],
    pub(crate) week: [f32; 168],
}

/// Where an hour falls in each division.
#[derive(Clone, Copy)]
struct Place {
    day: usize,
    part: usize,
    week: usize,
}

impl Place {
    fn of(hour: i64) -> Place {
        let t = Timestamp::of_hour(hour);
        let day = t.hour_of_day();
        let weekend = usize::from(t.weekday() >= 5);
        Place { day, part: weekend * 24 + day, week: t.hour_of_week() }
    }
}

impl Season {
    pub(crate) fn new() -> Season {
        Season { all: 0.0, day: [0.0; 24], part: [0.0; 48], week: [0.0; 168] }
    }

    /// Lets `days` pass.
    pub(crate) fn decay(&mut self, days: f64, profile: &EgressProfile) {
        let factor = (-days / profile.half_life_days).exp2() as f32;
        let week = (-days / profile.week_half_life_days).exp2() as f32;
        self.all *= factor;
        self.day.iter_mut().chain(&mut self.part).for_each(|s| *s *= factor);
        self.week.iter_mut().for_each(|s| *s *= week);
    }

    /// Adds `amount` at `hour`.
    pub(crate) fn add(&mut self, hour: i64, amount: f64) {
        let at = Place::of(hour);
        let amount = amount as f32;
        self.all += amount;
        self.day[at.day] += amount;
        self.part[at.part] += amount;
        self.week[at.week] += amount;
    }

    /// Mean an hour over everything, of sums `self` and logged hours `logged`.
    pub(crate) fn overall(&self, logged: &Season) -> f64 {
        if logged.all > 0.0 { f64::from(self.all) / f64::from(logged.all) } else { 0.0 }
    }

    /// Expected amount in `hour` before any level: m24 = (S24 + 2 m0)/(n24 + 2) and so on down to
    /// the hour of the week.
    pub(crate) fn mean(&self, logged: &Season, hour: i64, profile: &EgressProfile) -> f64 {
        let at = Place::of(hour);
        let [k_day, k_part, k_week] = profile.season_prior_days;
        let shrink = |sum: f32, n: f32, k: f64, parent: f64| {
            (f64::from(sum) + k * parent) / (f64::from(n) + k)
        };
        let m0 = self.overall(logged);
        let m24 = shrink(self.day[at.day], logged.day[at.day], k_day, m0);
        let m48 = shrink(self.part[at.part], logged.part[at.part], k_part, m24);
        shrink(self.week[at.week], logged.week[at.week], k_week, m48)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    #[test]
    fn the_hierarchy_by_hand() {
        let profile = Profile::default().egress;
        let (mut bytes, mut logged) = (Season::new(), Season::new());
        // 1970-01-01 00:00 (a Thursday): 100 bytes; 01:00: 20 bytes.
        for (hour, b) in [(0, 100.0), (1, 20.0)] {
            bytes.add(hour, b);
            logged.add(hour, 1.0);
        }
        let m0 = 60.0;
        let m24 = (100.0 + 2.0 * m0) / 3.0;
        let m48 = (100.0 + 2.0 * m24) / 3.0;
        let mu = (100.0 + 3.0 * m48) / 4.0;
        assert!((bytes.mean(&logged, 0, &profile) - mu).abs() < 1e-4);
        // An hour never seen takes the overall mean.
        assert!((bytes.mean(&logged, 5, &profile) - m0).abs() < 1e-4);
    }

    #[test]
    fn decay_leaves_means_and_weakens_evidence() {
        let profile = Profile::default().egress;
        let (mut bytes, mut logged) = (Season::new(), Season::new());
        for hour in 0..48 {
            bytes.add(hour, if hour % 24 == 3 { 240.0 } else { 0.0 });
            logged.add(hour, 1.0);
        }
        let before = bytes.mean(&logged, 3, &profile);
        bytes.decay(28.0, &profile);
        logged.decay(28.0, &profile);
        assert!((bytes.overall(&logged) - 10.0).abs() < 1e-4);
        let after = bytes.mean(&logged, 3, &profile);
        assert!(after < before && after > 10.0);
    }
}
