//! What happens to an account's queries on ordinary days: deployments, a report that nobody
//! repairs, load tests. Drawn after everything else, so that it moves nothing else.
use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, Timestamp};

use super::caller::{Caller, Op};
use super::draw::{Draw, Purpose};
use super::life::{except, local, push_session};
use super::query::Asks;
use super::query::template::Template;
use super::{Fleet, Session};

/// Fills a fleet with what happens to queries.
pub(crate) fn live(fleet: &mut Fleet) {
    for a in 0..fleet.accounts.len() {
        let draw = &mut Draw::new(fleet.options.seed, Purpose::Queries, a as u64, 1);
        deployments(fleet, a, draw);
        broken_report(fleet, a, draw);
        load_tests(fleet, a, draw);
    }
}

/// Each brings new queries, for good, and takes some away.
fn deployments(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    let every = draw.between(7.0, 25.0);
    let mut day = draw.between(0.0, every);
    while day < f64::from(fleet.options.days) {
        let from = local(fleet, day as i64, draw.between(8.0, 18.0), 0);
        let until = fleet.options.end();
        let book = &mut fleet.accounts[a].book;
        for template in &mut book.templates {
            if draw.chance(0.05) {
                template.until = template.until.min(from);
            }
        }
        for _ in 0..1 + draw.below(8) {
            let template = Template::draw(&book.vocabulary, book.gluing, (from, until), draw);
            book.templates.push(template);
        }
        except(fleet, "new queries", a, from, from.plus_ms(DAY_MS));
        day += every * draw.between(0.5, 1.5);
    }
}

fn asking(fleet: &Fleet, a: usize, at: Timestamp) -> Option<Caller> {
    let mut caller = fleet.accounts[a].main_caller(at)?.clone();
    caller.mix = vec![(Op::Query, 1.0)];
    Some(caller)
}

/// A report that has been failing every night since someone renamed a field.
fn broken_report(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    if !draw.chance(0.15) {
        return;
    }
    let hour = draw.between(0.0, 6.0);
    let retries = 1 + draw.below(30) as u32;
    let book = &fleet.accounts[a].book;
    let Some(template) = book.templates.first() else { return };
    let text = format!("{} GROUP {}", template.text(&book.vocabulary, draw), book.vocabulary.alias);
    for day in draw.below(20) as i64..i64::from(fleet.options.days) {
        let start = local(fleet, day, hour, 0);
        let Some(caller) = asking(fleet, a, start) else { continue };
        let end = start.plus_ms(i64::from(retries) * (5_000 + draw.below_ms(20_000)));
        let asks = Asks::Broken(text.clone());
        let session =
            Session { asks, status: Some(400), ..Session::new(start, end, retries, caller) };
        push_session(fleet, a, session);
    }
    except(fleet, "broken report", a, fleet.options.start, fleet.options.end());
}

/// One query, many times, with values drawn anew.
fn load_tests(fleet: &mut Fleet, a: usize, draw: &mut Draw) {
    let mut day = draw.between(0.0, 150.0);
    while day < f64::from(fleet.options.days) {
        let start = local(fleet, day as i64, draw.between(7.0, 19.0), 0);
        let Some(caller) = asking(fleet, a, start) else { return };
        let index = draw.below(fleet.accounts[a].book.templates.len());
        let count = 150 + draw.below(900) as u32;
        let end = start.plus_ms(10 * MINUTE_MS + draw.below_ms(HOUR_MS / 2));
        let session =
            Session { asks: Asks::Template(index), ..Session::new(start, end, count, caller) };
        push_session(fleet, a, session);
        except(fleet, "load test", a, start, end);
        day += draw.between(30.0, 150.0);
    }
}
