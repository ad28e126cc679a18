//! Operators in the places of values, in commands of the Mongo API: against the account's own.
use crate::baseline::query_shapes::QueryObservation;
use crate::command_text::operators::{for_values, is_usual};
use crate::event::{Marked, Sign};

/// The known command that a new one is but for operators in the places of values, and the first of
/// these. An operator that another known command has under the same name is none.
pub(super) fn origin(observation: &QueryObservation) -> Option<(usize, Marked)> {
    let read = &observation.joined.row.read;
    let akin = || observation.akin.iter().enumerate().filter(|(_, kin)| kin.same_skeleton);
    akin().find_map(|(at, kin)| {
        let found = for_values(&kin.tokens, &read.tokens).into_iter().find(|condition| {
            !akin().any(|(_, known)| is_usual(&known.tokens, &read.tokens, condition))
        })?;
        let start = |token: usize| read.starts.get(token).copied().filter(|s| *s != u16::MAX);
        // Its last token is its closing bracket.
        let last = start(found.end.saturating_sub(1));
        let end = last.map_or(read.template.len() as u32, |at| u32::from(at) + 1);
        let end = end.min(read.template.len() as u32);
        let begin = start(found.start).map_or(end, u32::from);
        Some((at, Marked { sign: Sign::OperatorForValue, begin, end }))
    })
}
