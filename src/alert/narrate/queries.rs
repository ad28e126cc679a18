//! Injections and probing in words. Templates only: no literal comes this far.
use super::verdict;
use crate::alert::Alert;
use crate::alert::words::{byte_range, bytes, clean, count, list, moment, plural};
use crate::detect::{BurstEvidence, QueryEvidence};
use crate::event::{Marked, Sign};

/// Characters of a template that are shown around a spot.
const AROUND: usize = 48;

/// A sign as a clause, to be read after "because".
pub fn sign(sign: Sign) -> &'static str {
    match sign {
        Sign::AlwaysTrueUnderOr => "a condition that is always true stands under OR",
        Sign::AlwaysTrueFilter => "the filter is always true",
        Sign::ConstantComparison => "a comparison is decided by constants alone",
        Sign::CommentCutsOff => "a comment cuts off what follows",
        Sign::WideAlternatives => "alternatives under OR match nearly everything",
        Sign::MatchesEverything => "a pattern or range matches everything",
        Sign::SubqueryInCondition => "a subquery stands in a condition",
        Sign::FunctionCallInCondition => "a user-defined function is called in a condition",
        Sign::BlindProbe => "parts of a value are compared one by one",
        Sign::ForeignDialect => "it uses another database's language",
        Sign::FragmentArithmetic => "quoted fragments are joined or calculated with",
        Sign::Insertion => {
            "it equals a query of this account with something put in at the place of a value"
        }
        Sign::LostCondition => "a condition of the known query is gone",
        Sign::WiderProjection => "it returns more properties than the known query",
        Sign::OperatorForValue => "an operator stands where the account's commands have a value",
        Sign::ServerSideCode => "it carries code for the server",
        Sign::Unbalanced => "quotes or brackets do not match",
        Sign::PayloadSyntax => "it has syntax that injection payloads carry",
        Sign::LooseOr => "an OR stands beside an AND without brackets",
        Sign::LogicInValue => "AND or OR stands where a value belongs",
        Sign::StrayConstant => "constants are compared that no program compares",
    }
}

/// The template with the spot that shows a sign between marks, cut to its surroundings.
pub fn spot(e: &QueryEvidence) -> String {
    let text: &str = &e.template;
    let marked = |m: &&Marked| m.end > m.begin && (m.end as usize) <= text.len();
    let Some(m) = e.marked.iter().find(marked) else {
        return cut(text, 0, text.len().min(2 * AROUND));
    };
    let (begin, end) = (m.begin as usize, m.end as usize);
    let from = begin.saturating_sub(AROUND);
    let until = (end + AROUND).min(text.len());
    format!("{}>>{}<<{}", cut(text, from, begin), inside(text, begin, end), cut(text, end, until))
}

/// A part of a text, from and to a character, shown harmlessly.
fn inside(text: &str, from: usize, until: usize) -> String {
    let from = (from..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap_or(text.len());
    let until = (0..=until.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    clean(text.get(from..until.max(from)).unwrap_or_default())
}

/// As [`inside`], from a word's beginning, with dots where there is text before.
fn cut(text: &str, from: usize, until: usize) -> String {
    let word = text.get(from..until).and_then(|t| t.find(' ')).filter(|_| from > 0);
    match word {
        Some(space) => format!("… {}", inside(text, from + space + 1, until)),
        None => inside(text, from, until),
    }
}

fn signs(e: &QueryEvidence) -> Vec<String> {
    let bits = e.marked.iter().fold(0, |bits, m| bits | m.sign.bit());
    Sign::of_bits(bits).map(|s| sign(s).to_owned()).collect()
}

/// The observation in a phrase.
pub fn observed(e: &QueryEvidence) -> String {
    let returned = match (e.rows, e.bytes) {
        (Some(rows), _) => format!(", {} returned", plural(rows as f64, "row", "rows")),
        (None, Some(n)) => format!(", {} returned", bytes(n as f64)),
        (None, None) => String::new(),
    };
    format!("a new query{returned}: {}", list(&signs(e)))
}

/// What was expected in its place.
pub fn expected(e: &QueryEvidence) -> String {
    format!(
        "one of {}, or one of {} new ones a day without such signs",
        plural(f64::from(e.shapes_known), "known query", "known queries"),
        count(e.new_per_day)
    )
}

fn container(alert: &Alert) -> String {
    match alert.finding.caller.containers.first() {
        Some(name) if !name.is_empty() => format!("container {}", clean(name)),
        _ => "a container that is not logged".to_owned(),
    }
}

/// What happened, of an injection.
pub fn injection(alert: &Alert, e: &QueryEvidence) -> String {
    let who = if e.joined {
        format!(" from {}", verdict::caller(alert))
    } else {
        ", from a caller that is not known: its request was not found in the log".to_owned()
    };
    let mut text = format!(
        "A query that this account has not run before ran on {} at {}{who}. What is odd: {}. At the \
         spot: {}.",
        container(alert),
        moment(alert.finding.start),
        list(&signs(e)),
        spot(e)
    );
    match (e.rows, e.bytes) {
        (Some(rows), Some(n)) => text.push_str(&format!(
            " It returned {}, {}.",
            plural(rows as f64, "row", "rows"),
            bytes(n as f64)
        )),
        (Some(rows), None) => {
            text.push_str(&format!(" It returned {}.", plural(rows as f64, "row", "rows")));
        }
        (None, Some(n)) => text.push_str(&format!(" It returned {}.", bytes(n as f64))),
        (None, None) => {}
    }
    if let Some(([median, high], rows)) = e.usual {
        let known_rows = if rows > 0 {
            format!(", at most {}", plural(f64::from(rows), "row", "rows"))
        } else {
            String::new()
        };
        text.push_str(&format!(
            " The query that it comes from returns {}{known_rows}.",
            byte_range(median, high)
        ));
    }
    text
}

/// What happened, of a burst.
pub fn burst(alert: &Alert, e: &BurstEvidence) -> String {
    let mut text = format!(
        "{} of {} failed as malformed within {} from {}, most of the last ones from {}; such a \
         span here holds {} to {}.",
        plural(e.count as f64, "query", "queries"),
        container(alert),
        e.within,
        moment(e.since),
        verdict::caller(alert),
        count(e.usual[0]),
        count(e.usual[1])
    );
    if e.addresses.len() > 1 {
        let addresses: Vec<String> = e.addresses.iter().map(ToString::to_string).collect();
        text.push_str(&format!(
            " They came from several addresses, among them {}.",
            list(&addresses)
        ));
    }
    match e.texts {
        Some(_) => {
            text.push_str(&format!(
                " Their texts break at {} different places",
                count(f64::from(e.error_places))
            ));
            if e.signs.is_empty() {
                text.push('.');
            } else {
                let signs: Vec<String> = e.signs.iter().map(|s| sign(*s).to_owned()).collect();
                text.push_str(&format!("; {}.", list(&signs)));
            }
        }
        None => {
            // 400 is what Cosmos DB SQL refuses with; other codes are those of another API.
            let sql = alert.finding.caller.statuses.iter().all(|status| *status == 400);
            let why = if sql {
                "No text of them was read"
            } else {
                "What failed commands of this API say is not judged"
            };
            let lengths = count(f64::from(e.lengths));
            text.push_str(&format!(" {why}; they have at least {lengths} different lengths."));
        }
    }
    text
}
