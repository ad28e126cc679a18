//! Rows of query run-time statistics: one a physical partition.
use xxhash_rust::xxh3::xxh3_64;

use super::super::caller::Caller;
use super::super::draw::{Draw, Purpose};
use super::super::query::{Asked, QueryLog, obfuscate};
use super::super::record::QueryRun;
use super::{Log, Place, Plan, Writer, delay};
use crate::time::Timestamp;

/// What the data plane says of a query.
pub(super) struct Run<'a> {
    pub(super) container: &'a str,
    pub(super) at: Timestamp,
    pub(super) activity: u128,
    pub(super) status: u16,
    pub(super) bytes: u64,
}

/// Writes the rows of one query, where its text is logged. Drawn from a stream of its own, so that
/// the data plane is the same with and without them.
pub(super) fn rows(
    place: &Place<'_>,
    caller: &Caller,
    plan: Plan<'_>,
    run: &Run<'_>,
    writer: &mut Writer,
) {
    let (account, book) = (place.account, &place.account.book);
    let Some(log) = account.query_log else { return };
    let failed = run.status == 400;
    let logs_failed = log == QueryLog::Full && book.logs_failed;
    if run.status != 200 && !(failed && logs_failed) {
        return;
    }
    let halves = ((run.activity >> 64) as u64, run.activity as u64);
    let draw = &mut Draw::new(place.seed, Purpose::QueryText, halves.0, halves.1);
    let Asked { text, wide, aggregate } = match plan.probe() {
        Some(probe) => Asked { text: probe.text.clone(), wide: true, aggregate: false },
        None => book.ask(plan.asks(), caller.person, failed, run.at, draw),
    };
    let hidden = obfuscate(&text);
    let shape: Vec<u8> = hidden.bytes().filter(|b| !b.is_ascii_digit()).collect();
    let (shape, signature) = (xxh3_64(&shape) as i64, xxh3_64(text.as_bytes()) as i64);
    let shown = if log == QueryLog::Full { &text } else { &hidden };
    let partitions = if wide && !failed { book.partitions } else { 1 };
    let mut left = if failed { 0 } else { run.bytes / book.row_bytes };
    for partition in 0..partitions {
        let share = left / (partitions - partition);
        left -= share;
        let time = run.at.plus_ms(200 + draw.below_ms(1800));
        let mut out = Vec::with_capacity(900 + text.len());
        QueryRun {
            time,
            ticks: draw.below(10_000) as u32,
            resource_id: place.resource_id,
            activity: run.activity,
            database: &account.database,
            container: run.container,
            subscription: place.subscription,
            resource_group: &account.resource_group,
            region: caller.region,
            partition,
            rows: if aggregate { u64::from(!failed) } else { share },
            signature,
            shape,
            text: shown,
        }
        .write(&mut out);
        let arrival = time.plus_ms(delay(draw) + 30_000 + draw.below_ms(30_000));
        writer.push(arrival, Log::Queries(place.index as u32), out);
    }
}
