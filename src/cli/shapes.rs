//! Query shapes of one account, for people.
use super::style::{out, visible};
use super::table::{Align, Table};
use crate::account::shapes::{Queries, QueryShape};
use crate::alert::words;

/// Shapes that are printed; `--json` has all.
const SHOWN: usize = 12;
/// Characters of a line, and what a template's line begins with.
const COLUMNS: usize = 100;
const INDENT: usize = 4;
/// Said where no template is kept.
const ONLY_HASH: &str = "only its hash is kept: heavier ones took the room";
/// Lines of one template.
const TEMPLATE_LINES: usize = 3;

/// Prints them under a label of `model show`, the heaviest first.
pub fn print(queries: Option<&Queries>) {
    let label = |text: &str| out(&format!("{:<16} {text}", "queries"));
    let Some(q) = queries else {
        label("no query text seen so far; `cosmoguard model coverage` says how to log it");
        return;
    };
    label(&format!(
        "{} known of {} at most, {} of {}; a new one {}",
        words::plural(q.known as f64, "shape is", "shapes are"),
        words::count(q.known_max as f64),
        words::bytes(q.bytes as f64),
        words::bytes(q.bytes_max as f64),
        words::once_in(q.new_per_day),
    ));
    let line = |text: String| out(&format!("{:<16} {text}", ""));
    if q.waiting > 0 {
        line(format!("{} odd and new, and wait before they teach", q.waiting));
    }
    if q.dropped_texts > 0 {
        let texts = words::count(q.dropped_texts as f64);
        line(format!("{texts} texts did not fit in their ten minutes and taught nothing"));
    }
    if q.shapes.is_empty() {
        return;
    }
    out("");
    lines(&q.shapes).iter().for_each(|l| out(l));
    if let Some(more) = q.shapes.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        out(&format!("  and {more} lighter ones: --json shows all"));
    }
    out("");
}

/// A row of figures a shape, and its template below.
fn lines(shapes: &[QueryShape]) -> Vec<String> {
    let mut table = Table::new(&[
        ("shape", Align::Left),
        ("runs", Align::Right),
        ("share", Align::Right),
        ("an answer", Align::Left),
        ("first seen", Align::Left),
        ("last seen", Align::Left),
        ("by", Align::Left),
    ]);
    let shown: Vec<&QueryShape> = shapes.iter().take(SHOWN).collect();
    for shape in &shown {
        let answer = shape
            .response
            .map_or_else(|| "not seen".to_owned(), |[low, _, high]| words::byte_range(low, high));
        table.row(vec![
            shape.shape.clone(),
            words::count(shape.runs.round()),
            words::percent(shape.share),
            answer,
            shape.first_seen.clone(),
            shape.last_seen.clone(),
            by(&shape.principals),
        ]);
    }
    let rows = table.lines();
    let mut lines: Vec<String> = rows.iter().take(1).cloned().collect();
    for (row, shape) in rows.iter().skip(1).zip(&shown) {
        lines.push(row.clone());
        let query = shape.container.as_ref().zip(shape.template.as_ref());
        let query = query.map(|(container, template)| format!("{container}: {template}"));
        lines.extend(template_lines(&query.unwrap_or_else(|| ONLY_HASH.to_owned())));
    }
    lines
}

/// The first who ran it, and how many more did.
fn by(principals: &[String]) -> String {
    match principals {
        [] => "-".to_owned(),
        [one] => short(one),
        [first, more @ ..] => format!("{} + {}", short(first), more.len()),
    }
}

/// Object ids are told apart by their first digits.
fn short(principal: &str) -> String {
    const ENOUGH: usize = 21;
    let name = visible(principal);
    if name.chars().count() <= ENOUGH {
        return name;
    }
    format!("{}…", name.chars().take(8).collect::<String>())
}

/// Lines of a query that a table names by its hash.
pub fn template(hash: &str, query: Option<&String>) -> Vec<String> {
    let mut lines = vec![format!("  {hash}")];
    lines.extend(template_lines(query.map_or(ONLY_HASH, String::as_str)));
    lines
}

/// `text` in lines of at most [`COLUMNS`], of which the first [`TEMPLATE_LINES`].
fn template_lines(text: &str) -> Vec<String> {
    let mut lines = wrapped(text, INDENT);
    if lines.len() > TEMPLATE_LINES {
        lines.truncate(TEMPLATE_LINES);
        if let Some(last) = lines.last_mut() {
            while last.chars().count() >= COLUMNS {
                last.pop();
            }
            last.push('…');
        }
    }
    lines
}

/// `text`, indented, in lines of at most [`COLUMNS`], shown harmlessly.
pub fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let room = COLUMNS - indent;
    let indent = " ".repeat(indent);
    let text = visible(text);
    let chars: Vec<char> = text.chars().collect();
    let mut rest = chars.as_slice();
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let blank = rest.iter().take(room + 1).rposition(|c| *c == ' ');
        let end = if rest.len() <= room { rest.len() } else { blank.unwrap_or(room).max(1) };
        let (line, behind) = rest.split_at(end);
        lines.push(format!("{indent}{}", line.iter().collect::<String>()));
        rest = behind.strip_prefix(&[' ']).unwrap_or(behind);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(template: Option<&str>, principals: &[&str]) -> QueryShape {
        QueryShape {
            shape: "0123456789abcdef".to_owned(),
            container: template.map(|_| "orders".to_owned()),
            template: template.map(str::to_owned),
            runs: 123_456.0,
            share: 0.25,
            first_seen: "2026-10-01".to_owned(),
            last_seen: "2026-10-27".to_owned(),
            principals: principals.iter().map(|p| (*p).to_owned()).collect(),
            response: Some([120.0, 2_000.0, 999_000.0]),
            rows_max: None,
            signs: Vec::new(),
        }
    }

    #[test]
    fn lines_fit_and_say_what_is_left_out() {
        let id = "00000000-0000-4000-8000-000000000001";
        let long = "SELECT c.id FROM c WHERE c.name = '…' AND c.tenant = '…' AND ".repeat(4);
        let shapes = [
            shape(Some(&long), &["secondary read-only key", id, "2 more"]),
            shape(None, &[id]),
            shape(Some(&"x".repeat(500)), &[]),
        ];
        let lines = lines(&shapes);
        assert!(lines.iter().all(|l| l.chars().count() <= COLUMNS), "{lines:#?}");
        let text = lines.join("\n");
        for words in ["only its hash", "orders: SELECT c.id", "00000000…", "+ 2", "120 B to 999 kB"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(text.lines().last().is_some_and(|l| l.ends_with('…')), "{text}");
    }
}
