//! Volume settings.
use serde::Deserialize;

/// Settings of the egress baseline and detector. The why of each stands in the TOML.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressProfile {
    /// Half-life of the overall, hour-of-day and weekday/weekend sums and of response sizes, days.
    pub half_life_days: f64,
    /// Half-life of the hour-of-week sums, days.
    pub week_half_life_days: f64,
    /// Days' worth of evidence of each parent in the seasonal hierarchy: overall → hour of day,
    /// hour of day → weekday/weekend hour, that → hour of week.
    pub season_prior_days: [f64; 3],
    /// Half-life of the level, days.
    pub level_half_life_days: f64,
    /// Days of the mean day that hold the level at 1.
    pub level_prior_days: f64,
    /// Bounds of the level.
    pub level_bounds: [f64; 2],
    /// Bounds of one observed day, in expected days, before it moves the level.
    pub level_day_bounds: [f64; 2],
    /// Age from which hours are winsorised, days.
    pub winsor_after_days: f64,
    /// Standard deviations above the expectation that an hour may teach.
    pub winsor_deviations: f64,
    /// Factor on a recurring hour (yesterday and the day before, or two weeks in a row).
    pub winsor_recurrence: f64,
    /// Bytes' worth of evidence for the population's response size.
    pub size_prior_bytes: f64,
    /// Half-life of the over-dispersion, days.
    pub dispersion_half_life_days: f64,
    /// Days' worth of evidence for the population's over-dispersion.
    pub dispersion_prior_days: f64,
    /// Over-dispersion that is always added.
    pub dispersion_floor: f64,
    /// Standard deviations at which an excess stops raising the over-dispersion.
    pub dispersion_clip: f64,
    /// Least excess, in expected days, that counts at 1, 6 and 24 hours.
    pub materiality: [f64; 3],
    /// Responses that stand for a day on an account which expects nothing.
    pub idle_responses: f64,
    /// Slack of the cumulative sum, in deviations an hour.
    pub drip_slack: f64,
    /// Bounds of one hour's deviation in the cumulative sum.
    pub drip_clip: [f64; 2],
    /// Over-dispersion of one hour in the cumulative sum.
    pub drip_dispersion: f64,
    /// Bounds of the factor by which the other operations correct one operation's expectation.
    pub control_bounds: [f64; 2],
    /// Steadying of that factor: response sizes, and share of the others' expectation.
    pub control_steady: [f64; 2],
    /// Weights of the tests, in their fixed order; normalised to sum 1.
    pub weights: [f64; 10],
    /// Account-days' worth of evidence for the class's median and spread of daily maxima.
    pub scale_prior_days: [f64; 2],
    /// Largest spread of an account's own maxima, in spreads of its class.
    pub scale_cap: f64,
    /// Smallest spread.
    pub scale_min: f64,
    /// Age of the account before a network, principal or client can be new, and before volume
    /// is judged, days.
    pub judged_after_days: f64,
    /// Days that something new stays new.
    pub new_for_days: f64,
    /// Share of a new network's bytes that counts even when the account as a whole gave no more
    /// than expected.
    pub moved_share: f64,
    /// Measured false alerts over nominal ones where tests are combined as if they never
    /// overlapped; the combined p is multiplied by it.
    pub combination: f64,
    /// Nominal false Medium findings per account-month from new networks.
    pub new_network_medium_per_month: f64,
    /// Share of the excess above which a new principal or client dominates it.
    pub dominant_share: f64,
    /// A story ends after so many hours without a hit.
    pub story_quiet_hours: f64,
    /// An open story is told again when the excess has grown by this factor.
    pub escalation: f64,
    /// A day this surprising teaches no response sizes.
    pub quarantine_p: f64,
    /// Age at which the baseline is mature, days.
    pub mature_after_days: f64,
    /// Share of hours without logs in the last week above which the baseline is degraded.
    pub degraded_gap_share: f64,
    /// p below which an observation carries its 72-hour series.
    pub evidence_p: f64,
}
