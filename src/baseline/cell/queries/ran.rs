//! One run of a query, as either log tells it.
use super::super::rank::caller_hash;
use super::super::*;
use crate::event::QueryRun;

/// One run of a query, whichever record told of it.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'a> {
    /// The activity id.
    pub activity_id: Option<u128>,
    /// The database.
    pub database: &'a Text,
    /// The container.
    pub container: &'a Text,
    /// Rows returned, where logged.
    pub rows: Option<u64>,
    /// The request, where its record has the text itself.
    pub own: Option<&'a Request>,
}

impl Ran<'_> {
    /// By what it is joined with its request.
    pub(super) fn join_id(&self, time: Timestamp) -> Option<u128> {
        self.own.map_or(self.activity_id, |request| join_id(time, request))
    }
}

/// By what a request is joined with its text. Mongo's activity ids are often no ids: who asked
/// when for what, and got how much, tells its requests apart as well as is needed.
pub(super) fn join_id(time: Timestamp, r: &Request) -> Option<u128> {
    if r.activity_id.is_some() || r.category.command_language().is_none() {
        return r.activity_id;
    }
    let mut h = xxhash_rust::xxh3::Xxh3::with_seed(caller_hash(r));
    h.update(&time.0.to_le_bytes());
    h.update(&r.response_bytes.to_le_bytes());
    h.update(r.container.as_bytes());
    Some(h.digest128())
}

impl<'a> From<&'a QueryRun> for Ran<'a> {
    fn from(run: &'a QueryRun) -> Ran<'a> {
        Ran {
            activity_id: run.activity_id,
            database: &run.database,
            container: &run.container,
            rows: run.rows,
            own: None,
        }
    }
}

impl<'a> From<&'a Request> for Ran<'a> {
    fn from(r: &'a Request) -> Ran<'a> {
        Ran {
            activity_id: r.activity_id,
            database: &r.database,
            container: &r.container,
            rows: None,
            own: Some(r),
        }
    }
}
