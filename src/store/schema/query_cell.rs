//! Queries of an open cell, and what the text of one says.
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cell::{SetV1, restore_set, set};
use crate::baseline::cell::{Answer, FailedTexts, FailureRow, KnownRow, QueryCell, QueryRow};
use crate::event::{
    Failure, HIDDEN_READINGS_MAX, HIDDEN_TOKENS_MAX, Marked, Place, PlaceSample, QueryLanguage,
    QueryRead, SIGNS_MAX, Sign, TEMPLATE_BYTES_MAX, TOKENS_MAX,
};
use crate::ids::Text;
use crate::limits;
use crate::time::Timestamp;

/// What a text says.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueryReadV1 {
    language: u8,
    shape: u64,
    skeleton: u64,
    failure: Option<(u32, Text)>,
    values: (u16, u16),
    tokens: (Vec<u16>, Vec<u16>),
    hidden: (Vec<Vec<u16>>, bool),
    template: Text,
    marked: Vec<(u8, u32, u32)>,
}

impl From<&QueryRead> for QueryReadV1 {
    fn from(r: &QueryRead) -> QueryReadV1 {
        QueryReadV1 {
            language: r.language as u8,
            shape: r.shape,
            skeleton: r.skeleton,
            failure: r.failure.as_ref().map(|f| (f.offset, f.reason.clone())),
            values: (r.literals, r.parameters),
            tokens: (r.tokens.to_vec(), r.starts.to_vec()),
            hidden: (r.hidden.iter().map(|h| h.to_vec()).collect(), r.unclosed),
            template: r.template.clone(),
            marked: r.marked.iter().map(|m| (m.sign as u8, m.begin, m.end)).collect(),
        }
    }
}

impl QueryReadV1 {
    /// `None` if a word is unknown or a bound is broken.
    pub fn restore(self) -> Option<Arc<QueryRead>> {
        let marked = self.marked.into_iter().map(|(sign, begin, end)| {
            Some(Marked { sign: *Sign::ALL.get(usize::from(sign))?, begin, end })
        });
        let marked: Box<[Marked]> = marked.collect::<Option<_>>()?;
        let bounded = self.tokens.0.len() <= TOKENS_MAX
            && self.tokens.1.len() <= TOKENS_MAX
            && self.hidden.0.len() <= HIDDEN_READINGS_MAX
            && self.hidden.0.iter().map(Vec::len).sum::<usize>() <= HIDDEN_TOKENS_MAX
            && self.template.len() <= TEMPLATE_BYTES_MAX
            && marked.len() <= SIGNS_MAX;
        bounded.then_some(())?;
        Some(Arc::new(QueryRead {
            language: language(self.language)?,
            shape: self.shape,
            skeleton: self.skeleton,
            failure: self.failure.map(|(offset, reason)| Failure { offset, reason }),
            literals: self.values.0,
            parameters: self.values.1,
            tokens: self.tokens.0.into(),
            starts: self.tokens.1.into(),
            hidden: self.hidden.0.into_iter().map(Into::into).collect(),
            unclosed: self.hidden.1,
            template: self.template,
            marked,
        }))
    }
}

/// A language by its number.
pub(super) fn language(code: u8) -> Option<QueryLanguage> {
    QueryLanguage::ALL.get(usize::from(code)).copied()
}

type Ends = ((i64, u128, [u32; 3]), (i64, u128, [u32; 3]));

/// A row of the cell.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueryRowV1 {
    read: QueryReadV1,
    names: (Text, Text),
    runs: u64,
    rows_max: Option<u64>,
    ends: Ends,
    activities: SetV1<u128>,
}

impl From<&QueryRow> for QueryRowV1 {
    fn from(r: &QueryRow) -> QueryRowV1 {
        QueryRowV1 {
            read: (&*r.read).into(),
            names: (r.database.clone(), r.container.clone()),
            runs: r.runs,
            rows_max: r.rows_max,
            ends: (
                (r.first.0.0, u128::from_be_bytes(r.first.1), r.first_place.packed()),
                (r.last.0.0, u128::from_be_bytes(r.last.1), r.last_place.packed()),
            ),
            activities: set(&r.activities),
        }
    }
}

impl QueryRowV1 {
    /// `None` if a word is unknown or a bound is broken.
    pub fn restore(self) -> Option<QueryRow> {
        let (first, last) = self.ends;
        Some(QueryRow {
            read: self.read.restore()?,
            database: self.names.0,
            container: self.names.1,
            runs: self.runs,
            rows_max: self.rows_max,
            first: (Timestamp(first.0), first.1.to_be_bytes()),
            last: (Timestamp(last.0), last.1.to_be_bytes()),
            first_place: Place::unpack(first.2),
            last_place: Place::unpack(last.2),
            activities: restore_set(self.activities),
        })
    }
}

/// A request that carried a query.
pub(super) type AnswerV1 = (u64, u128, u64, u64, i32, bool);

pub(super) fn answer(a: &Answer) -> AnswerV1 {
    (a.rank, a.activity, a.caller, a.bytes, a.status, a.succeeded)
}

pub(super) fn restore_answer(
    (rank, activity, caller, bytes, status, succeeded): AnswerV1,
) -> Answer {
    Answer { rank, activity, caller, bytes, status, succeeded }
}

#[derive(Debug, Serialize, Deserialize)]
struct FailureRowV1 {
    keys: (u64, u64),
    names: (Text, Text),
    count: (u64, i32),
    ends: Ends,
    places: Vec<[u32; 3]>,
    lengths: SetV1<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FailedTextsV1 {
    container: Text,
    count: u64,
    error_places: SetV1<u64>,
    signs: u32,
}

/// Queries of an open cell.
#[derive(Debug, Serialize, Deserialize)]
pub struct QueryCellV1 {
    rows: Vec<(u64, QueryRowV1)>,
    known: Vec<(u64, u32, u64, u32)>,
    answers: Vec<AnswerV1>,
    failures: Vec<FailureRowV1>,
    failed_texts: Vec<FailedTextsV1>,
    counts: [u64; 3],
}

impl From<&QueryCell> for QueryCellV1 {
    fn from(q: &QueryCell) -> QueryCellV1 {
        QueryCellV1 {
            rows: q.rows.iter().map(|(rank, row)| (*rank, row.into())).collect(),
            known: q.known.iter().map(|k| (k.key, k.runs, k.rows_max, k.tag)).collect(),
            answers: q.answers.iter().map(answer).collect(),
            failures: q.failures.iter().map(Into::into).collect(),
            failed_texts: q
                .failed_texts
                .iter()
                .map(|f| FailedTextsV1 {
                    container: f.container.clone(),
                    count: f.count,
                    error_places: set(&f.error_places),
                    signs: f.signs,
                })
                .collect(),
            counts: [q.texts, q.requests, q.malformed],
        }
    }
}

impl From<&FailureRow> for FailureRowV1 {
    fn from(f: &FailureRow) -> FailureRowV1 {
        FailureRowV1 {
            keys: (f.key, f.caller),
            names: (f.database.clone(), f.container.clone()),
            count: (f.count, f.status),
            ends: (
                (f.first.0.0, u128::from_be_bytes(f.first.1), f.first_place.packed()),
                (f.last.0.0, u128::from_be_bytes(f.last.1), f.last_place.packed()),
            ),
            places: f.places.iter().map(Place::packed).collect(),
            lengths: set(&f.lengths),
        }
    }
}

impl FailureRowV1 {
    fn restore(self) -> FailureRow {
        let mut places = PlaceSample::default();
        self.places.into_iter().for_each(|place| places.insert(Place::unpack(place)));
        let (first, last) = self.ends;
        FailureRow {
            key: self.keys.0,
            caller: self.keys.1,
            database: self.names.0,
            container: self.names.1,
            count: self.count.0,
            status: self.count.1,
            first: (Timestamp(first.0), first.1.to_be_bytes()),
            last: (Timestamp(last.0), last.1.to_be_bytes()),
            first_place: Place::unpack(first.2),
            last_place: Place::unpack(last.2),
            places,
            lengths: restore_set(self.lengths),
        }
    }
}

impl QueryCellV1 {
    /// `None` if a word is unknown or a bound is broken.
    pub fn restore(self) -> Option<QueryCell> {
        let rows = self.rows.into_iter().map(|(rank, row)| Some((rank, row.restore()?)));
        let rows = rows.collect::<Option<Vec<_>>>()?;
        let known = self.known.into_iter().map(|(key, runs, rows_max, tag)| KnownRow {
            key,
            runs,
            rows_max,
            tag,
        });
        let known: Vec<KnownRow> = known.collect();
        let answers: Vec<Answer> = self.answers.into_iter().map(restore_answer).collect();
        let failures: Vec<FailureRow> =
            self.failures.into_iter().map(FailureRowV1::restore).collect();
        let failed_texts: Vec<FailedTexts> = self
            .failed_texts
            .into_iter()
            .map(|f| FailedTexts {
                container: f.container,
                count: f.count,
                error_places: restore_set(f.error_places),
                signs: f.signs,
            })
            .collect();
        let bounded = rows.len() <= limits::CELL_QUERIES_MAX
            && known.len() <= limits::CELL_KNOWN_QUERIES_MAX
            && answers.len() <= limits::CELL_ANSWERS_MAX
            && failures.len() <= limits::CELL_FAILURES_MAX
            && failed_texts.len() <= limits::CELL_FAILURES_MAX;
        let ascending = rows.is_sorted_by(|a, b| a.0 < b.0)
            && known.is_sorted_by(|a, b| a.key < b.key)
            && answers.is_sorted_by(|a, b| a < b)
            && failures.is_sorted_by(|a, b| a.key < b.key)
            && failed_texts.is_sorted_by(|a, b| a.container < b.container);
        (bounded && ascending).then_some(())?;
        let [texts, requests, malformed] = self.counts;
        Some(QueryCell { rows, known, answers, failures, failed_texts, texts, requests, malformed })
    }
}
