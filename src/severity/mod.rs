//! p-values to severities by false-alarm budget.
//!
//! `p·r` of a finding is how many such alerts a benign account would give a day. Each kind has its
//! share of the three budgets (by weight); a finding takes the highest band whose share it fits.
//! Bands are caps over all kinds together. What the evidence, the kind or a young baseline does not
//! allow is a ceiling; what is too ordinary for the kind's floor stays silent.
use crate::baseline::maturity::MaturityState;
use crate::detect::{AlertKind, Ceiling, Finding, RuleClause, Severity};
use crate::profile::{KindSeverity, SeverityMode, SeverityProfile};

pub mod combine;

/// Whether a severity was measured or follows a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// By false-alarm budget.
    Measured,
    /// By rule (Tor, listed addresses).
    Rule,
}

impl Basis {
    /// The word of the alert contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Measured => "measured",
            Basis::Rule => "rule",
        }
    }
}

/// A graded finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Grade {
    /// What is printed.
    pub severity: Severity,
    /// Measured or rule.
    pub basis: Basis,
    /// p·r: nominal false alerts per benign account-day at this surprise.
    pub nominal_per_day: f64,
    /// Largest p·r that this kind may have for Low, Medium, High (its share of the budgets).
    pub limits_per_day: [f64; 3],
    /// Our severity by budget or rule (equals `severity` in budget mode).
    pub by_budget: Severity,
    /// Microsoft's severities of 2022 and 2024.
    pub defender: [Severity; 2],
    /// Whose severity is printed.
    pub mode: SeverityMode,
    /// Lowest severity that this kind raises: anything more ordinary stays silent.
    pub floor: Severity,
    /// Highest severity that this kind reaches.
    pub cap: Severity,
    /// Why `by_budget` is not one higher.
    pub not_higher: NotHigher,
}

/// Why a grade is not one higher.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NotHigher {
    /// It is High.
    Highest,
    /// The next band asks for a rarer observation.
    TooOrdinary {
        /// p·r that the next band allows.
        needed_per_day: f64,
    },
    /// The kind's cap.
    KindCap,
    /// The finding's own ceiling.
    Ceiling(Ceiling),
    /// The rule says so.
    Rule(RuleClause),
}

/// All severities, lowest first; the order of every three-element array in this room.
pub const BANDS: [Severity; 3] = [Severity::Low, Severity::Medium, Severity::High];

/// What became of a finding.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// It is worth an alert.
    Raised(Grade),
    /// Its rarity or rule earned a severity, and a bound keeps it silent.
    Silent {
        /// What it earned.
        earned: Severity,
        /// What it was held at; `None` where it is the kind's floor alone that is higher.
        bound: Option<NotHigher>,
    },
    /// More ordinary than Low.
    TooOrdinary,
    /// The profile does not know its kind.
    Unknown,
}

/// Grades `finding`; `None` where it is too ordinary for its kind's floor, or where the profile
/// does not know its kind.
pub fn grade(finding: &Finding, profile: &SeverityProfile) -> Option<Grade> {
    match judge(finding, profile) {
        Judgement::Raised(grade) => Some(grade),
        _ => None,
    }
}

/// Grades `finding`, or says what keeps it silent.
pub fn judge(finding: &Finding, profile: &SeverityProfile) -> Judgement {
    let Some(kind) = profile.kinds.get(finding.kind.alert_type()) else {
        return Judgement::Unknown;
    };
    let limits = limits_per_day(finding.kind, profile);
    let nominal = nominal_per_day(finding);
    let cap = word(&kind.cap, Severity::High);
    let floor = word(&kind.floor, Severity::Low);
    let earned = match finding.test.rule {
        Some(rule) => rule.severity,
        None => match band(nominal, &limits) {
            Some(severity) => severity,
            None => return Judgement::TooOrdinary,
        },
    };
    let (allowed, ceiling) = allowed(finding, cap);
    let by_budget = earned.min(allowed);
    if by_budget < floor {
        return Judgement::Silent { earned, bound: (by_budget < earned).then_some(ceiling) };
    }
    let defender =
        [word(&kind.defender_2022, Severity::Medium), word(&kind.defender_2024, Severity::Medium)];
    Judgement::Raised(Grade {
        severity: match profile.mode {
            SeverityMode::Budget => by_budget,
            SeverityMode::Defender2022 => defender[0],
            SeverityMode::Defender2024 => defender[1],
        },
        basis: if finding.test.rule.is_some() { Basis::Rule } else { Basis::Measured },
        nominal_per_day: nominal,
        limits_per_day: limits,
        by_budget,
        defender,
        mode: profile.mode,
        floor,
        cap,
        not_higher: not_higher(finding, by_budget, allowed, ceiling, &limits),
    })
}

/// Largest p·r that `kind` may have for Low, Medium and High: its weighted share of each budget.
/// Zero for a kind that the profile does not list.
pub fn limits_per_day(kind: AlertKind, profile: &SeverityProfile) -> [f64; 3] {
    let sound = |k: &KindSeverity| if k.weight.is_finite() { k.weight.max(0.0) } else { 0.0 };
    let total: f64 =
        AlertKind::ALL.iter().filter_map(|k| profile.kinds.get(k.alert_type())).map(sound).sum();
    let own = profile.kinds.get(kind.alert_type()).map_or(0.0, sound);
    let share = if total > 0.0 { own / total } else { 0.0 };
    let budget = &profile.budget;
    [budget.low * share, budget.medium * share, budget.high * share]
}

/// Alerts that innocent life brings at most in `account_days`, at Low, Medium, High, over all
/// kinds together: the budgets' own promise. Severities by rule count against Medium.
pub fn expected_false_alerts(profile: &SeverityProfile, account_days: f64) -> [f64; 3] {
    let days = if account_days.is_finite() { account_days.max(0.0) } else { 0.0 };
    let budget = &profile.budget;
    [budget.low * days, budget.medium * days, budget.high * days]
}

/// p·r, with numbers that are none read as "nothing is surprising".
pub fn nominal_per_day(finding: &Finding) -> f64 {
    let p = if finding.test.p.is_nan() { 1.0 } else { finding.test.p.clamp(0.0, 1.0) };
    let tests = finding.test.per_day;
    p * if tests.is_finite() { tests.max(0.0) } else { 1.0 }
}

/// The highest band whose limit `nominal` fits.
fn band(nominal: f64, limits: &[f64; 3]) -> Option<Severity> {
    BANDS.into_iter().zip(limits).rev().find(|(_, limit)| nominal <= **limit).map(|(s, _)| s)
}

fn word(text: &str, otherwise: Severity) -> Severity {
    Severity::parse(text).unwrap_or(otherwise)
}

/// The highest severity that anything but rarity allows, and what binds first.
fn allowed(finding: &Finding, cap: Severity) -> (Severity, NotHigher) {
    let mut bound = (cap, NotHigher::KindCap);
    let mut lower = |severity: Severity, why: NotHigher| {
        if severity < bound.0 {
            bound = (severity, why);
        }
    };
    let supported = !finding.companions.is_empty();
    if let Some((severity, why)) = finding.test.ceiling {
        let lifted = match why {
            Ceiling::NeedsAnotherKind if supported => Severity::High,
            // With another kind beside it, it is not volume alone any more; High still needs the
            // new caller that would have spared it this ceiling.
            Ceiling::VolumeAlone | Ceiling::NotMature if supported => {
                severity.max(Severity::Medium)
            }
            _ => severity,
        };
        lower(lifted, NotHigher::Ceiling(why));
    }
    if waits_for_maturity(finding) {
        let severity = if supported { Severity::Medium } else { Severity::Low };
        lower(severity, NotHigher::Ceiling(Ceiling::NotMature));
    }
    bound
}

/// A behavioural finding on a baseline that is not trusted yet. Rules need no baseline; the sweep
/// over accounts is judged against the principal type's own prior from the first minute, queries
/// against what is odd in any account's, with young ones expected to bring many.
fn waits_for_maturity(finding: &Finding) -> bool {
    finding.test.rule.is_none()
        && !matches!(
            finding.kind,
            AlertKind::MaliciousScript | AlertKind::SqlInjection | AlertKind::SqlFuzzing
        )
        && matches!(finding.maturity.state, MaturityState::Learning | MaturityState::Provisional)
}

fn not_higher(
    finding: &Finding,
    by_budget: Severity,
    allowed: Severity,
    ceiling: NotHigher,
    limits: &[f64; 3],
) -> NotHigher {
    if by_budget == Severity::High {
        return NotHigher::Highest;
    }
    match finding.test.rule {
        Some(rule) if rule.severity <= allowed => NotHigher::Rule(rule.clause),
        None if by_budget < allowed => {
            NotHigher::TooOrdinary { needed_per_day: limits[by_budget as usize + 1] }
        }
        _ => ceiling,
    }
}

#[cfg(test)]
mod tests;
