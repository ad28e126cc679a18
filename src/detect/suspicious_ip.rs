//! Access from an address on a threat list with a good credential. An address that is also a Tor
//! exit is Tor's, the list a facet of it.
use crate::baseline::cell::Cell;
use crate::baseline::listed::{ListedBaseline, ListedUse};
use crate::detect::listed::{self, Circumstances, ListedContext};
use crate::detect::{AlertKind, Finding, RuleClause};
use crate::intel::view::{IntelView, ListKind};

/// Findings for the listed addresses that got in during a minute. `intel` is the view in force.
pub fn judge(
    cell: &Cell,
    minute: i64,
    baseline: &ListedBaseline,
    intel: &IntelView,
    cx: &ListedContext,
) -> Vec<Finding> {
    judge_uses(&ListedUse::of(cell, intel), minute, baseline, cx)
}

/// As [`judge`], for callers that hold the uses already.
pub fn judge_uses(
    uses: &[ListedUse],
    minute: i64,
    baseline: &ListedBaseline,
    cx: &ListedContext,
) -> Vec<Finding> {
    listed::judge((AlertKind::SuspiciousIp, ListKind::Threat), uses, minute, baseline, rule, cx)
}

/// Medium, since lists age and addresses are shared; High when data beyond the usual or a key
/// operation goes with it.
fn rule(c: &Circumstances) -> RuleClause {
    if c.key_operation {
        RuleClause::KeyOperation
    } else if c.data_beyond_p95 {
        RuleClause::DataBeyondP95
    } else {
        RuleClause::Plain
    }
}
