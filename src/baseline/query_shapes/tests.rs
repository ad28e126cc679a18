//! Texts, requests and what an account makes of them.
use std::sync::Arc;

use super::*;
use crate::baseline::cell::{Cell, Ran};
use crate::event::{
    Access, Category, ConnectionMode, Credential, Failure, KeyKind, Marked, Operation, Place,
    Request, Resource, Sign,
};
use crate::ids::Text;
use crate::intel::view::{AddressClass, AddressInfo, Country};
use crate::profile::Profile;
use crate::store::codec;
use crate::store::schema::query_shapes::QueryShapesV1;

const DAY: i64 = 20_100;

fn profile() -> QueriesProfile {
    Profile::default().queries
}

/// Last minute of the `n`-th cell of a day.
fn cell_end(day: i64, n: i64) -> i64 {
    day * 1440 + (n + 1) * limits::CELL_MINUTES - 1
}

fn address() -> AddressInfo {
    AddressInfo {
        class: AddressClass::Residential,
        country: Some(Country(*b"NL")),
        asn: Some(1136),
        organisation: Text::from("KPN"),
        city: None,
        azure_region: None,
        listed_ever: false,
    }
}

pub(super) fn request(activity: u128, status: i32, bytes: u64) -> Request {
    Request {
        category: Category::DataPlaneRequests,
        command: crate::event::QueryText::Absent,
        count: 1,
        interval_ms: 0,
        activity_id: Some(activity),
        operation: Operation::Query,
        operation_name: Text::from("Query"),
        resource: Resource::Document,
        access: if status == 200 { Access::Success } else { Access::Unknown },
        status,
        client_ip: Some([198, 51, 100, 7].into()),
        user_agent: Text::from("app/1.0"),
        client_family: Text::from("app"),
        credential: Credential::Key(KeyKind::PrimaryMaster),
        connection: ConnectionMode::Gateway,
        request_bytes: 300 + activity as u64 % 50,
        response_bytes: bytes,
        response_bytes_max: bytes,
        charge_milli: 0,
        region: Text::from("westeurope"),
        database: Text::from("shop"),
        container: Text::from("orders"),
        change_feed: false,
        internal: false,
    }
}

fn read(shape: u64, signs: &[Sign]) -> Arc<QueryRead> {
    Arc::new(QueryRead {
        language: QueryLanguage::Sql,
        shape,
        skeleton: 1,
        failure: None,
        literals: 1,
        parameters: 0,
        tokens: [shape as u16, 2, 3].into(),
        starts: Box::default(),
        hidden: Box::default(),
        unclosed: false,
        template: Text::from("SELECT * FROM c WHERE c.x = ?"),
        marked: signs.iter().map(|s| Marked { sign: *s, begin: 0, end: 6 }).collect(),
    })
}

fn add_request(cell: &mut Cell, minute: i64, r: &Request) {
    let at = (Timestamp::of_minute(minute), Place::NOWHERE);
    cell.add_request_of(at, r, &address(), &|_| true, true);
}

fn add_text(
    cell: &mut Cell,
    minute: i64,
    activity: u128,
    read: &Arc<QueryRead>,
    shapes: &QueryShapes,
) {
    let (database, container) = (Text::from("shop"), Text::from("orders"));
    let ran = Ran {
        activity_id: Some(activity),
        database: &database,
        container: &container,
        own: None,
        rows: Some(3),
    };
    let known = shapes.knows(query_key(read, "orders"));
    cell.add_query((Timestamp::of_minute(minute), Place::NOWHERE), ran, read, known);
}

/// Closes a cell as an account does; what is odder than the profile allows waits.
fn close(shapes: &mut QueryShapes, minute: i64, cell: &Cell, odd: bool) -> Vec<QueryObservation> {
    let observations = shapes.assess(minute, cell, false, &profile());
    let judged: Vec<_> = observations.iter().map(|o| (o, odd)).collect();
    shapes.learn(minute, cell, &judged, &profile());
    observations
}

#[test]
fn a_text_meets_its_request_in_either_order_and_across_a_border() {
    for text_first in [true, false] {
        let mut shapes = QueryShapes::default();
        let mut cell = Cell::default();
        let minute = cell_end(DAY, 0);
        let text = |cell: &mut Cell| {
            add_text(cell, minute - 3, 7, &read(1, &[]), &QueryShapes::default());
        };
        if text_first {
            text(&mut cell);
        }
        add_request(&mut cell, minute - 3, &request(7, 200, 5000));
        if !text_first {
            text(&mut cell);
        }
        let seen = close(&mut shapes, minute, &cell, false);
        assert_eq!(seen.len(), 1, "text first: {text_first}");
        assert_eq!(seen[0].joined.answer.map(|a| a.bytes), Some(5000));
        let (key, row) = seen[0].joined.caller.as_ref().unwrap();
        assert_eq!(key.ip, Some([198, 51, 100, 7].into()));
        assert_eq!(row.requests, 1);
    }
    // The request at the end of one cell, the text in the next; and the other way round.
    for request_first in [true, false] {
        let mut shapes = QueryShapes::default();
        let (first, second) = (cell_end(DAY, 0), cell_end(DAY, 1));
        let (mut early, mut late) = (Cell::default(), Cell::default());
        let with_request = if request_first { &mut early } else { &mut late };
        add_request(with_request, first, &request(7, 200, 5000));
        let with_text = if request_first { &mut late } else { &mut early };
        add_text(with_text, first + 1, 7, &read(1, &[]), &QueryShapes::default());
        assert!(close(&mut shapes, first, &early, false).is_empty());
        assert_eq!(shapes.due(), (!request_first).then_some(second));
        let seen = close(&mut shapes, second, &late, false);
        assert_eq!(seen.len(), 1, "request first: {request_first}");
        assert!(seen[0].joined.answer.is_some() && seen[0].joined.caller.is_some());
        assert_eq!(shapes.due(), None);
    }
}

#[test]
fn a_text_whose_request_does_not_come_is_judged_a_cell_later_without_it() {
    let mut shapes = QueryShapes::default();
    let minute = cell_end(DAY, 0);
    let mut cell = Cell::default();
    add_text(&mut cell, minute, 7, &read(1, &[Sign::BlindProbe]), &shapes);
    assert!(close(&mut shapes, minute, &cell, true).is_empty());
    let due = shapes.due().unwrap();
    assert_eq!(due, cell_end(DAY, 1));
    assert!(shapes.assess_waiting(due - 1, &profile()).is_empty());
    let seen = shapes.assess_waiting(due, &profile());
    assert_eq!(seen.len(), 1);
    assert!(seen[0].joined.answer.is_none());
}

#[test]
fn an_ordinary_new_query_is_known_at_once_and_an_odd_one_after_three_days() {
    let mut shapes = QueryShapes::default();
    for (n, day) in (DAY..DAY + 4).enumerate() {
        let minute = cell_end(day, 5);
        let mut cell = Cell::default();
        for (activity, shape, signs) in [(1, 10, &[][..]), (2, 11, &[Sign::CommentCutsOff])] {
            add_text(&mut cell, minute, activity, &read(shape, signs), &shapes);
            add_request(&mut cell, minute, &request(activity, 200, 900));
        }
        let seen = shapes.assess(minute, &cell, false, &profile());
        let judged: Vec<_> = seen.iter().map(|o| (o, o.joined.row.read.signs() != 0)).collect();
        let new: Vec<u64> = seen.iter().map(|o| o.joined.row.read.shape).collect();
        let expected: &[u64] = match n {
            0 => &[10, 11],
            1 | 2 => &[11],
            _ => &[],
        };
        assert_eq!(
            new.iter().copied().collect::<std::collections::BTreeSet<_>>(),
            expected.iter().copied().collect(),
            "day {n}"
        );
        shapes.learn(minute, &cell, &judged, &profile());
        shapes.close_day(day, &profile());
    }
    assert_eq!(shapes.active_days, 4);
    // The same words with another sign are another query.
    assert!(!shapes.knows(query_key(&read(10, &[Sign::MatchesEverything]), "orders")));
    assert!(!shapes.knows(query_key(&read(10, &[]), "customers")));
}

#[test]
fn what_a_known_query_returns_is_learned_from_every_cell_it_runs_in() {
    let (ten, read) = (limits::CELL_MINUTES, read(1, &[]));
    let mut shapes = QueryShapes::default();
    let mut learn = |at: i64, ask: bool, answer: bool, bytes: u64| {
        let (minute, mut cell) = (cell_end(DAY, 0) + at / 2 * ten, Cell::default());
        if ask {
            add_text(&mut cell, minute, at as u128 / 4 + 1, &read, &shapes);
        }
        if answer {
            add_request(&mut cell, minute - 1, &request(at as u128 / 4 + 1, 200, bytes));
        }
        close(&mut shapes, minute, &cell, false);
        shapes.shapes.first().map_or(0.0, |s| s.bytes[2])
    };
    // The first comes without its request: nothing is known of what it returns.
    learn(0, true, false, 0);
    assert_eq!(learn(2, false, false, 0), 0.0);
    for n in 1..=40 {
        // Text and request in one cell, or the request in the cell before.
        let parted = n % 2 == 0;
        if parted {
            learn(4 * n, false, true, 300 + n as u64 * 10);
        }
        learn(4 * n + 2 * i64::from(parted), true, !parted, 300 + n as u64 * 10);
    }
    let shape = shapes.shapes[0];
    assert_eq!(shape.bytes[2], 40.0, "each answer once");
    let history = shape.history();
    assert!((400.0..600.0).contains(&history.bytes_at(0.0)), "{}", history.bytes_at(0.0));
    assert!((600.0..900.0).contains(&history.bytes_at(1.645)), "{}", history.bytes_at(1.645));
    assert_ne!(shape.principals[0], 0, "and who runs it");
}

#[test]
fn a_query_that_failed_teaches_nothing() {
    let mut shapes = QueryShapes::default();
    let minute = cell_end(DAY, 0);
    let failed = QueryRead {
        failure: Some(Failure { offset: 12, reason: Text::from("a name was expected") }),
        ..(*read(1, &[])).clone()
    };
    let mut cell = Cell::default();
    add_text(&mut cell, minute, 7, &Arc::new(failed), &shapes);
    add_request(&mut cell, minute, &request(7, 400, 0));
    close(&mut shapes, minute, &cell, false);
    assert!(shapes.shapes.is_empty());
    let queries = cell.queries.unwrap();
    assert_eq!(queries.failures()[0].count, 1);
    assert_eq!(queries.failed_texts("orders").unwrap().count, 1);
}

#[test]
fn however_many_shapes_come_the_facet_stays_within_its_bytes_and_the_heavy_ones_stay() {
    let mut shapes = QueryShapes::default();
    let mut shape = 1_u64;
    for n in 0..400 {
        let minute = cell_end(DAY + n / 144, n % 144);
        let mut cell = Cell::default();
        add_text(&mut cell, minute, 1, &read(1, &[]), &shapes);
        add_text(&mut cell, minute, 2, &read(1, &[]), &shapes);
        for k in 0..5 {
            shape += 1;
            let mut wide = (*read(shape, &[])).clone();
            wide.tokens = vec![shape as u16; 200].into();
            add_text(&mut cell, minute, 10 + k, &Arc::new(wide), &shapes);
        }
        for activity in [1, 2, 10, 11, 12, 13, 14] {
            add_request(&mut cell, minute, &request(activity, 200, 900));
        }
        close(&mut shapes, minute, &cell, false);
        assert!(shapes.heap_bytes() <= QueryShapes::HEAP_MAX, "{}", shapes.heap_bytes());
    }
    assert_eq!(shapes.shapes.len(), SHAPES_MAX);
    assert!(shapes.knows(query_key(&read(1, &[]), "orders")));
    let sealed = codec::encode(&QueryShapesV1::from(&shapes), 1 << 20).unwrap();
    assert!(sealed.len() < 2 * limits::QUERY_SHAPES_BYTES_MAX);
}

#[test]
fn what_was_known_at_a_moment_is_told_whatever_was_learnt_since() {
    let mut shapes = QueryShapes::default();
    let (first, second) = (cell_end(DAY, 3), cell_end(DAY, 5));
    for (minute, shape) in [(first, 1), (second, 2)] {
        let mut cell = Cell::default();
        add_text(&mut cell, minute, 1, &read(shape, &[]), &shapes);
        add_request(&mut cell, minute, &request(1, 200, 900));
        close(&mut shapes, minute, &cell, false);
    }
    let key = |shape| query_key(&read(shape, &[]), "orders");
    let knew = |shapes: &QueryShapes, minute| [1, 2, 3].map(|n| shapes.knew(key(n), minute));
    assert_eq!(knew(&shapes, first), [false; 3]);
    assert_eq!(knew(&shapes, first + 1), [true, false, false]);
    assert_eq!(knew(&shapes, second + 1), [true, true, false]);
    assert!(!shapes.had_text(first) && shapes.had_text(first + 1));
    // What has gone since was known all the same.
    let third = cell_end(DAY, 7);
    shapes.shapes.iter_mut().filter(|s| s.key == key(1)).for_each(|s| s.weight = 0.0);
    assert!(shapes.evict(Timestamp::of_minute(third)).is_some());
    assert_eq!(knew(&shapes, third + 1), [false, true, false]);
    assert_eq!(knew(&shapes, third), [true, true, false]);
    // Days later nobody asks for it.
    shapes.close_day(DAY + 3, &profile());
    assert!(shapes.changes.is_empty());
}

#[test]
fn deployments_raise_the_rate_of_new_queries_and_quiet_weeks_lower_it() {
    let run = |every: i64| {
        let mut shapes = QueryShapes::default();
        let mut shape = 0;
        for day in DAY..DAY + 40 {
            let minute = cell_end(day, 50);
            let mut cell = Cell::default();
            if (day - DAY) % every == 0 {
                shape += 1;
            }
            add_text(&mut cell, minute, 1, &read(shape, &[]), &shapes);
            add_request(&mut cell, minute, &request(1, 200, 900));
            close(&mut shapes, minute, &cell, false);
            shapes.close_day(day, &profile());
        }
        shapes.arrivals_per_day(Timestamp::of_hour((DAY + 40) * 24), &profile())
    };
    let (daily, never) = (run(1), run(1000));
    assert!(daily > 0.8 && never < 0.08, "{daily} {never}");
}

#[test]
fn any_order_of_arrival_gives_the_same_cell() {
    let shapes = QueryShapes::default();
    let minute = cell_end(DAY, 0);
    let build = |order: &[usize]| {
        let mut cell = Cell::default();
        for i in order {
            let n = *i as u128;
            let signs: &[Sign] = if i % 7 == 0 { &[Sign::BlindProbe] } else { &[] };
            add_text(&mut cell, minute - (*i as i64 % 9), n, &read(*i as u64 % 20, signs), &shapes);
            let status = if i % 11 == 0 { 400 } else { 200 };
            add_request(&mut cell, minute - (*i as i64 % 9), &request(n, status, 100 * *i as u64));
        }
        cell
    };
    let forward: Vec<usize> = (0..200).collect();
    let backward: Vec<usize> = (0..200).rev().collect();
    let mixed: Vec<usize> = (0..200).map(|i| i * 77 % 200).collect();
    let expected = build(&forward).queries;
    assert_eq!(build(&backward).queries, expected);
    assert_eq!(build(&mixed).queries, expected);
}

mod errors {
    use super::*;
    use crate::baseline::query_shapes::errors::{ErrorsBaseline, Span};

    fn cell_with(minute: i64, malformed: u64) -> Cell {
        let mut cell = Cell::default();
        add_request(&mut cell, minute, &request(1, 200, 900));
        for n in 0..malformed {
            add_request(&mut cell, minute, &request(100 + u128::from(n), 400, 0));
        }
        cell
    }

    fn live(
        errors: &mut ErrorsBaseline,
        days: std::ops::Range<i64>,
        malformed: impl Fn(i64, i64) -> u64,
    ) {
        let p = profile();
        for day in days {
            for n in 0..144 {
                let minute = cell_end(day, n);
                errors.learn(minute, &cell_with(minute, malformed(day, n)), (1e-3, 3), &p.burst);
            }
        }
    }

    #[test]
    fn the_quieter_an_account_the_odder_a_burst() {
        let p = profile();
        let now = Timestamp::of_hour((DAY + 30) * 24);
        let mut quiet = ErrorsBaseline::default();
        live(&mut quiet, DAY..DAY + 30, |_, _| 0);
        let mut noisy = ErrorsBaseline::default();
        live(&mut noisy, DAY..DAY + 30, |_, n| if n % 12 == 0 { 30 } else { 1 });
        let fresh = ErrorsBaseline::default();
        let at = |e: &ErrorsBaseline| e.p(Span::TenMinutes, 30, now, &p.burst);
        assert!(at(&quiet) < at(&fresh) && at(&fresh) < at(&noisy));
        assert!(at(&quiet) < 1e-4 && at(&noisy) > 0.05, "{} {}", at(&quiet), at(&noisy));
        assert!(
            quiet.p(Span::TenMinutes, 100, now, &p.burst)
                < quiet.p(Span::TenMinutes, 30, now, &p.burst)
        );
        assert_eq!(quiet.p(Span::TenMinutes, 0, now, &p.burst), 1.0);
    }

    #[test]
    fn a_burst_does_not_teach_until_it_is_a_habit() {
        let p = profile();
        let burst =
            |first: i64| move |day: i64, n: i64| if day >= first && n == 70 { 200 } else { 0 };
        let (mut once, mut often) = (ErrorsBaseline::default(), ErrorsBaseline::default());
        live(&mut once, DAY..DAY + 30, burst(DAY + 29));
        live(&mut often, DAY..DAY + 30, burst(DAY + 10));
        let now = Timestamp::of_hour((DAY + 30) * 24);
        assert!(once.p(Span::TenMinutes, 200, now, &p.burst) < 1e-5);
        assert!(often.p(Span::TenMinutes, 200, now, &p.burst) > 1e-3);
    }

    #[test]
    fn a_slow_campaign_is_rarer_in_a_day_than_in_its_ten_minutes() {
        let p = profile();
        let mut errors = ErrorsBaseline::default();
        // One innocent refusal every second hour; on the last day five an hour.
        live(&mut errors, DAY..DAY + 30, |_, n| u64::from(n % 12 == 0));
        for n in 0..72 {
            let minute = cell_end(DAY + 30, n);
            errors.learn(minute, &cell_with(minute, 1), (1e-3, 3), &p.burst);
        }
        let minute = cell_end(DAY + 30, 72);
        let seen = errors.assess(minute, &cell_with(minute, 1), false, &p);
        let day = seen.iter().find(|o| o.span == Span::Day).unwrap();
        // The last 24 hours reach back into the day before.
        assert_eq!(day.refused.count, 78);
        assert!(day.p < 0.01, "{}", day.p);
        assert!(seen.iter().all(|o| o.span != Span::TenMinutes), "one request is no burst");
        // The calendar day before was an ordinary one.
        assert!(errors.p(Span::Day, 12, Timestamp::of_minute(minute), &p.burst) > 0.5);
    }
}
