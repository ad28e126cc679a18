//! Place settings.
use serde::Deserialize;

/// Settings of the location baseline and detector, and of the Tor and listed-address rules.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocationProfile {
    /// Half-life of counts and exposure, days.
    pub half_life_days: f64,
    /// Active days whose places are the start set: they teach, are not tested and are no novelty.
    pub burn_in_active_days: u32,
    /// Age from which the baseline is mature, days.
    pub mature_days: u32,
    /// Active days that it must have had by then.
    pub mature_active_days: u32,
    /// Days with private access only, after which a first public access is a class of its own.
    pub private_days: u32,
    /// Observations with a smaller p do not teach until they are released.
    pub quarantine_p: f64,
    /// Days after which an observation may be released.
    pub quarantine_days: i64,
    /// Distinct days on which it must have recurred by then.
    pub quarantine_distinct_days: u32,
    /// Days without recurrence after which it is forgotten.
    pub quarantine_expiry_days: i64,
    /// Weight with which a released observation teaches.
    pub quarantine_weight: f64,
    /// Days of evidence behind the base shares of known places (Dirichlet strength).
    pub base_share_days: f64,
    /// Two countries of one principal within so many minutes are travel evidence.
    pub travel_minutes: i64,
    /// Factor on p where there is travel evidence.
    pub travel_factor: f64,
    /// Prior of the novelty hazards.
    pub novelty: NoveltyProfile,
    /// Prior of access from Tor exits and listed addresses.
    pub listed: ListedProfile,
}

/// Prior shapes (expected days with a new category in `exposure_days`) by lane. Six numbers a
/// lane: country, country with an unseen client, network, network with an unseen client,
/// combination, combination with an unseen client. 0 switches a test off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoveltyProfile {
    /// Prior exposure (b0), days.
    pub exposure_days: f64,
    /// Weights of a new country, network and combination where findings are ranked: the false-alarm
    /// budget goes to what is worth most (weighted Bonferroni).
    pub level_weights: [f64; 3],
    /// Weight, among the tests of a day, of credential lanes that the account has not used.
    pub unused_lane: f64,
    /// Places of each kind that exist when the logs begin and show themselves only later …
    pub unseen_places: f64,
    /// … with this time constant, days.
    pub unseen_days: f64,
    /// Account keys.
    pub key: [f64; 6],
    /// Entra principals with anything but a browser.
    pub entra: [f64; 6],
    /// Browsers: the portal's Data Explorer and people.
    pub interactive: [f64; 6],
    /// Resource tokens and unlogged credentials.
    pub token: [f64; 6],
    /// Private callers of any kind.
    pub private: [f64; 6],
    /// First public access to an account that was private.
    pub first_public: f64,
}

/// Prior of the hazard of listed use.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedProfile {
    /// Prior days with such use (a0) …
    pub days: f64,
    /// … in so many days of exposure (b0).
    pub exposure_days: f64,
}
