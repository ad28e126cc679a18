//! Query texts meet their requests by activity id, in either order, within their cell and the ones
//! beside it: what a cell leaves unmatched waits for the next one and is then judged without.
use super::*;
use crate::baseline::cell::{ROW_HEAP_MAX, row_heap};
use crate::event::Credential;

/// What one cell leaves for the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carry {
    /// Last minute of the cell.
    pub(crate) minute: i64,
    /// Its answers, ascending.
    pub(crate) answers: Vec<Answer>,
    /// Its callers, with their hash.
    pub(crate) callers: Vec<(u64, CallerKey, CallerRow)>,
    /// Queries without an answer, and the last minute of their cell.
    pub(crate) waiting: Vec<(i64, QueryRow)>,
}

impl Carry {
    /// The minute at which what waits is judged although nothing arrives.
    pub fn due(&self) -> Option<i64> {
        self.waiting.first().map(|(minute, _)| minute + limits::CELL_MINUTES)
    }

    /// Most heap bytes.
    pub const HEAP_MAX: usize = limits::CELL_ANSWERS_MAX * size_of::<Answer>()
        + limits::CELL_CALLERS_MAX * (size_of::<(u64, CallerKey, CallerRow)>() + ROW_HEAP_MAX)
        + limits::CELL_QUERIES_MAX
            * (size_of::<(i64, QueryRow)>() + size_of::<QueryRead>() + QueryRead::HEAP_MAX);

    pub(super) fn heap_bytes(&self) -> usize {
        self.answers.capacity() * size_of::<Answer>()
            + self.callers.capacity() * size_of::<(u64, CallerKey, CallerRow)>()
            + self.callers.iter().map(|(_, _, r)| row_heap(r)).sum::<usize>()
            + self.waiting.capacity() * size_of::<(i64, QueryRow)>()
            + self.waiting.iter().map(|(_, r)| read_bytes(&r.read)).sum::<usize>()
    }
}

/// The minutes of `then` and `now` lie in neighbouring cells or in one.
fn near(then: i64, now: i64) -> bool {
    (now - then).abs() <= limits::CELL_MINUTES
}

/// Splits unknown queries of `cell` and those that waited into what can be judged now and what
/// waits for the next cell's requests.
pub(super) fn split(
    shapes: &QueryShapes,
    minute: i64,
    cell: &Cell,
) -> (Vec<Joined>, Vec<(i64, QueryRow)>) {
    let carry = &shapes.carry;
    let here = cell.queries.as_deref();
    let before = shapes.carry_before(minute);
    let (mut ready, mut waiting) = (Vec::new(), Vec::new());
    for (then, row) in &carry.waiting {
        let answer = here.filter(|_| near(*then, minute)).and_then(|q| best(row, q.answers()));
        ready.push(joined(row.clone(), answer, cell, None));
    }
    for row in here.into_iter().flat_map(|q| q.rows()) {
        if shapes.knows(query_key(&row.read, &row.container)) {
            continue;
        }
        let own = here.and_then(|q| best(row, q.answers()));
        let earlier = before.and_then(|c| best(row, &c.answers));
        let may_come = !row.activities.as_slice().is_empty();
        match own.or(earlier) {
            None if may_come => waiting.push((minute, row.clone())),
            answer => ready.push(joined(row.clone(), answer, cell, before)),
        }
    }
    (ready, waiting)
}

/// Unknown queries of a cell that was late, without their requests.
pub(super) fn alone(shapes: &QueryShapes, cell: &Cell) -> Vec<Joined> {
    let rows = cell.queries.iter().flat_map(|q| q.rows());
    let unknown = rows.filter(|r| !shapes.knows(query_key(&r.read, &r.container)));
    unknown.map(|row| Joined { row: row.clone(), answer: None, caller: None, late: true }).collect()
}

/// The answer to one of a query's runs: that with most bytes.
fn best(row: &QueryRow, answers: &[Answer]) -> Option<Answer> {
    let own = answers.iter().filter(|a| row.activities.as_slice().contains(&a.activity));
    own.max_by_key(|a| (a.succeeded, a.bytes, a.activity)).copied()
}

fn joined(row: QueryRow, answer: Option<Answer>, cell: &Cell, before: Option<&Carry>) -> Joined {
    let caller = answer.and_then(|answer| {
        let here = cell.caller_of(answer.caller).map(|(k, r)| (k.clone(), r.clone()));
        let earlier = || {
            let callers = &before?.callers;
            let (_, key, row) = callers.iter().find(|(hash, _, _)| *hash == answer.caller)?;
            Some((key.clone(), row.clone()))
        };
        here.or_else(earlier)
    });
    Joined { row, answer, caller, late: false }
}

impl QueryShapes {
    /// The minute at which queries that wait for their requests are judged without them.
    pub fn due(&self) -> Option<i64> {
        self.carry.due()
    }

    /// What the cell before `minute` left, if that is its neighbour.
    pub(super) fn carry_before(&self, minute: i64) -> Option<&Carry> {
        near(self.carry.minute, minute).then_some(&self.carry)
    }

    /// Queries that waited for a request that did not come, judged at `minute`.
    pub fn assess_waiting(&self, minute: i64, profile: &QueriesProfile) -> Vec<QueryObservation> {
        if self.carry.due().is_none_or(|due| due > minute) {
            return Vec::new();
        }
        self.assess(minute, &Cell::default(), false, profile)
    }

    /// Takes over what `cell` leaves for the next.
    pub(super) fn carry_over(&mut self, minute: i64, cell: &Cell) {
        let (_, waiting) = split(self, minute, cell);
        let callers = cell.exact_callers().filter(|(hash, _, _)| {
            cell.queries.iter().any(|q| q.answers().iter().any(|a| a.caller == *hash))
        });
        self.carry = Carry {
            minute,
            answers: cell.queries.as_ref().map(|q| q.answers().to_vec()).unwrap_or_default(),
            callers: callers.map(|(hash, k, r)| (hash, k.clone(), r.clone())).collect(),
            waiting,
        };
    }
}

/// A principal or key kind as sixteen bits, for the list of who runs a shape; never 0.
pub(super) fn principal_code(credential: &Credential) -> u16 {
    let text = format!("{credential:?}");
    (xxhash_rust::xxh3::xxh3_64(text.as_bytes()) as u16).max(1)
}
