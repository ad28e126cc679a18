//! One operation writes a Start record and one or two more: only its end counts.
use std::collections::BTreeMap;

use super::KeyOperation;
use crate::event::{CredentialOperation, Outcome};
use crate::ids::PrincipalId;

/// One finished (or refused) operation.
#[derive(Clone, Copy, Debug)]
pub struct TerminalUse<'a> {
    /// The record that ended it.
    pub operation: &'a KeyOperation,
    /// It was refused or broke.
    pub failed: bool,
    /// It ended with Accept only: a Success may still follow in a later minute.
    pub accepted: bool,
}

/// Folds the records of one minute: Success ends an operation, else Accept, else Failure; Start and
/// unknown words end nothing. Records of one operation share correlation id, operation and
/// principal (the correlation id alone is not enough: some clients use one for a whole run).
/// Ascending by time.
pub fn terminal_uses<'a>(
    operations: impl IntoIterator<Item = &'a KeyOperation>,
) -> Vec<TerminalUse<'a>> {
    type Key<'a> = (&'a str, CredentialOperation, &'a PrincipalId);
    let mut last: BTreeMap<Key<'a>, &'a KeyOperation> = BTreeMap::new();
    let mut uses = Vec::new();
    for operation in operations {
        if rank(operation.outcome) == 0 {
            continue;
        }
        if operation.correlation_id.is_empty() {
            uses.push(terminal(operation));
            continue;
        }
        let key = (&*operation.correlation_id, operation.operation, &operation.principal);
        last.entry(key)
            .and_modify(|known| {
                if rank(operation.outcome) > rank(known.outcome) {
                    *known = operation;
                }
            })
            .or_insert(operation);
    }
    uses.extend(last.into_values().map(terminal));
    uses.sort_by(|a, b| a.operation.cmp(b.operation));
    uses
}

fn terminal(operation: &KeyOperation) -> TerminalUse<'_> {
    TerminalUse {
        operation,
        failed: operation.outcome == Outcome::Failed,
        accepted: operation.outcome == Outcome::Accepted,
    }
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Succeeded => 3,
        Outcome::Accepted => 2,
        Outcome::Failed => 1,
        Outcome::Started | Outcome::Unknown => 0,
    }
}
