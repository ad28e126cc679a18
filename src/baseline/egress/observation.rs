//! What an observation says: plain values that the detector reads.
use super::BandModel;
use super::networks::NetworkKey;
use super::prior::TESTS;
use crate::baseline::cell::{CallerKey, CallerRow};
use crate::event::Records;
use crate::profile::EgressProfile;
use crate::time::Timestamp;

/// What one test saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestReading {
    /// Its name.
    pub name: &'static str,
    /// Its window, hours.
    pub window_hours: f64,
    /// Bytes observed in the window.
    pub observed: f64,
    /// Bytes expected (after the control, for LO).
    pub expected: f64,
    /// Variance of the observed bytes under the expectation.
    pub variance: f64,
    /// Score: normal units (T, LO), the cumulative sum (Q), nats (N).
    pub score: f64,
    /// The excess is material.
    pub material: bool,
    /// The window begins after the last counted hit.
    pub counted: bool,
    /// Score on the population's scale.
    pub standardised: f64,
    /// P(a benign account-day's maximum reaches it); 1 unless material.
    pub p: f64,
    /// Weight in the combination.
    pub weight: f64,
}

/// The caller that took most beyond its habit.
#[derive(Clone, Debug, PartialEq)]
pub struct TopCaller {
    /// Who.
    pub key: CallerKey,
    /// What it did since midnight.
    pub row: CallerRow,
    /// Records that stand for it.
    pub records: Records,
    /// Identity for stories.
    pub hash: u64,
    /// Bytes in the deciding window.
    pub bytes: f64,
    /// Bytes beyond its habit there.
    pub excess: f64,
    /// The principal is new to the account.
    pub new_principal: bool,
    /// The client family is new to the account.
    pub new_client: bool,
}

/// A new network's part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NewNetwork {
    /// Which.
    pub key: NetworkKey,
    /// Bytes in the window of the strongest new-network test.
    pub bytes: f64,
    /// When it was first seen.
    pub first_seen: Timestamp,
}

/// One hour of the frozen series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HourPoint {
    /// Hours since the epoch.
    pub hour: i64,
    /// Bytes; `None` without logs.
    pub observed: Option<f64>,
    /// Bytes expected.
    pub expected: f64,
}

/// How the last windows sit against the baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct EgressObservation {
    /// End of the ten-minute cell that decided.
    pub at: Timestamp,
    /// All tests.
    pub tests: [TestReading; TESTS],
    /// Combined p of this moment's counted windows.
    pub p_now: f64,
    /// Combined p of the day so far: only falls.
    pub p_day: f64,
    /// p of the new-network tests alone, now; with the windows that the open story explains
    /// unless it has been told as a new network's already.
    pub p_new_now: f64,
    /// p of the new-network tests alone, of the day so far.
    pub p_new_day: f64,
    /// Combined p with the windows that the open story explains.
    pub p_unexplained: f64,
    /// The test that decided.
    pub deciding: usize,
    /// The open story does not cover this: three times its excess, or another caller.
    pub escalates: bool,
    /// How often the story has been told anew, this time included.
    pub generation: u32,
    /// Bytes that stand for the account's expected day.
    pub day_scale: f64,
    /// Who took most beyond its habit in the deciding window.
    pub top: Option<TopCaller>,
    /// The new network that took most, if any.
    pub new_network: Option<NewNetwork>,
    /// The last 72 hours, oldest first; empty while nothing is odd.
    pub series: Vec<HourPoint>,
    /// Bands of the one-hour test.
    pub band: BandModel,
}

/// Days in the month that nominal rates are quoted for.
const MONTH_DAYS: f64 = 30.4;

impl EgressObservation {
    /// The new-network tests alone are as rare as Medium asks.
    pub fn is_new_network(&self, profile: &EgressProfile) -> bool {
        self.p_new_now <= profile.new_network_medium_per_month / MONTH_DAYS
    }

    /// They were at some time of the day.
    pub fn was_new_network(&self, profile: &EgressProfile) -> bool {
        self.p_new_day <= profile.new_network_medium_per_month / MONTH_DAYS
    }

    /// Bytes beyond expectation in the deciding window.
    pub fn excess(&self) -> f64 {
        let t = &self.tests[self.deciding];
        (t.observed - t.expected).max(0.0)
    }
}

impl TestReading {
    pub(super) fn empty() -> TestReading {
        TestReading {
            name: "",
            window_hours: 0.0,
            observed: 0.0,
            expected: 0.0,
            variance: 0.0,
            score: 0.0,
            material: false,
            counted: true,
            standardised: 0.0,
            p: 1.0,
            weight: 0.0,
        }
    }
    /// Order among operation classes: material before immaterial, then by score.
    pub(super) fn rank(&self) -> (bool, f64) {
        (self.material, self.score)
    }
}
