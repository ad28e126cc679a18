//! The page: what happened, how rare, what broke and what held, what to do.
use super::draw::{HOURS_DRAWN, Ruler, hours};
use super::view::Row;
use super::{AlertView, Glyphs, Line, Role};
use crate::alert::words::once_in;

/// Columns of the page.
const COLUMNS: usize = 100;
/// Columns of the word in front of a row.
const LABEL: usize = 9;
/// Columns of a facet's name, observation and usual value.
const CELLS: [usize; 3] = [16, 24, 27];
/// Operations of a sweep that are listed.
const TIMELINE_ROWS: usize = 12;
/// Digits of an id that are shown: enough for `explain`.
const ID_DIGITS: usize = 8;

/// Longest account name that is not cut: Azure allows 44.
const ACCOUNT_CHARS_MAX: usize = 44;

/// Renders the page.
pub fn render(view: &AlertView, glyphs: Glyphs) -> Vec<Line> {
    let mut page = header(view, glyphs);
    page.push(Line::default());
    page.extend(wrapped(&view.verdict, COLUMNS).map(|t| Line::of(t, Role::Plain)));
    page.push(Line::default());
    rarity(view, glyphs, &mut page);
    labelled("why", &view.reason, &mut page);
    facets(view, glyphs, &mut page);
    if let Some(observed) = view.hours.as_ref().map(|h| &h.observed) {
        let mut line = label("hours");
        line.push(format!("{:HOURS_DRAWN$}   ", hours(observed, glyphs)), Role::Plain);
        let gap = if glyphs == Glyphs::Unicode { "·" } else { "?" };
        line.push(format!("log scale, the last {HOURS_DRAWN} h; {gap} no logs"), Role::Dim);
        page.push(line);
    }
    timeline(view, &mut page);
    if view.story.len() > 1 {
        let steps: Vec<String> =
            view.story.iter().map(|(at, what)| format!("{at} {what}")).collect();
        labelled("story", &steps.join("   "), &mut page);
    }
    labelled("silent", &view.silent, &mut page);
    next(view, &mut page);
    if glyphs == Glyphs::Ascii {
        // The mark of what is left out stands in templates as well.
        let texts = page.iter_mut().flat_map(|line| &mut line.0);
        texts.for_each(|span| span.text = span.text.replace('…', "~"));
    }
    page
}

fn label(word: &str) -> Line {
    Line::of(format!("{word:LABEL$}"), Role::Label)
}

/// `M MEDIUM  title            account · id · revision · status`, on two lines where it is long.
fn header(view: &AlertView, glyphs: Glyphs) -> Vec<Line> {
    let word = view.severity.as_str();
    let mut line = Line::default();
    let badge = format!("{} {}", &word[..1], word.to_uppercase());
    line.push(badge.clone(), Role::Severity(view.severity));
    line.push("  ", Role::Plain);
    line.push(view.title.clone(), Role::Title);
    let dot = if glyphs == Glyphs::Unicode { " · " } else { " | " };
    let id: String = view.id.chars().take(ID_DIGITS).collect();
    let revision = format!("revision {}", view.revision);
    let account = middle_cut(&view.account);
    let facts = [account.as_str(), &id, &revision, &view.status].join(dot);
    let used = badge.len() + 2 + view.title.chars().count();
    let wide = facts.chars().count();
    if used + 2 + wide > COLUMNS {
        return vec![line, Line::of(format!("{facts:>COLUMNS$}"), Role::Dim)];
    }
    line.push(format!("{facts:>width$}", width = COLUMNS - used), Role::Dim);
    vec![line]
}

/// An account's name, cut in the middle where it is longer than Azure's own ever are.
fn middle_cut(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    if chars.len() <= ACCOUNT_CHARS_MAX {
        return name.to_owned();
    }
    let half = ACCOUNT_CHARS_MAX / 2;
    let (head, tail) = (&chars[..half], &chars[chars.len() - half..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

fn rarity(view: &AlertView, glyphs: Glyphs, page: &mut Vec<Line>) {
    let Some(per_day) = view.per_day else { return };
    let often = format!("{} on an innocent account.", once_in(per_day));
    if view.by_rule {
        labelled("rarity", &format!("{often} The severity follows a rule."), page);
        return;
    }
    let ruler = Ruler::new(per_day, view.limits, view.floor, view.cap);
    let from: Vec<String> = ruler
        .bands
        .iter()
        .map(|(severity, days)| {
            let interval = once_in(1.0 / days);
            let interval = interval.strip_prefix("once in ").unwrap_or(&interval);
            format!("{} from {interval}", severity.as_str())
        })
        .collect();
    labelled("rarity", &format!("{often} {}.", from.join(", ")), page);
    let mut line = Line::of(" ".repeat(LABEL), Role::Plain);
    line.0.extend(ruler.line(glyphs).0);
    page.push(line);
}

fn facets(view: &AlertView, glyphs: Glyphs, page: &mut Vec<Line>) {
    // The first row is the finding as a whole, which the verdict has said already.
    let whole = |row: &&Row| row.name == "finding";
    let mut broke: Vec<&Row> = view.rows.iter().filter(|r| r.broke && !whole(r)).collect();
    if broke.is_empty() {
        broke = view.rows.iter().filter(whole).collect();
    }
    for (at, row) in broke.into_iter().enumerate() {
        let mut line = label(if at == 0 { "broke" } else { "" });
        line.push(cell(&row.name, CELLS[0]), Role::Plain);
        line.push(cell(&row.observed, CELLS[1]), Role::Broke);
        line.push(cell(&row.usual, CELLS[2]), Role::Plain);
        let rest = COLUMNS - LABEL - CELLS.iter().sum::<usize>();
        line.push(cell(&row.rarity, rest).trim_end(), Role::Dim);
        page.push(line);
    }
    let held: Vec<&str> = view.rows.iter().filter(|r| !r.broke).map(|r| r.name.as_str()).collect();
    let dot = if glyphs == Glyphs::Unicode { " · " } else { " | " };
    labelled("held", &held.join(dot), page);
    let (state, age) = &view.baseline;
    labelled("baseline", &format!("{state}, {age} days old"), page);
}

/// `text` in exactly `width` columns, the last one blank; cut at the end.
fn cell(text: &str, width: usize) -> String {
    let room = width.saturating_sub(1);
    if text.chars().count() <= room {
        return format!("{text:width$}");
    }
    let head: String = text.chars().take(room.saturating_sub(1)).collect();
    format!("{head}… ")
}

fn timeline(view: &AlertView, page: &mut Vec<Line>) {
    for (at, [time, what, operation]) in view.timeline.iter().take(TIMELINE_ROWS).enumerate() {
        let mut line = label(if at == 0 { "keys" } else { "" });
        line.push(cell(time, 26), Role::Dim);
        line.push(cell(what, 32), Role::Plain);
        line.push(cell(operation, COLUMNS - LABEL - 58).trim_end(), Role::Plain);
        page.push(line);
    }
    let more = view.timeline.len().saturating_sub(TIMELINE_ROWS);
    if more > 0 {
        let text = format!("and {more} more, in the alert's `Evidence`");
        page.push(Line(vec![
            super::Span { text: " ".repeat(LABEL), role: Role::Plain },
            super::Span { text, role: Role::Dim },
        ]));
    }
}

fn next(view: &AlertView, page: &mut Vec<Line>) {
    for (at, question) in view.check_next.iter().enumerate() {
        labelled_as(if at == 0 { "next" } else { "" }, &format!("check {question}"), page);
    }
    for (at, step) in view.remediation.iter().enumerate() {
        labelled_as(if at == 0 { "do" } else { "" }, step, page);
    }
}

/// A row with its label; nothing where there is nothing to say.
fn labelled(word: &str, text: &str, page: &mut Vec<Line>) {
    if !text.is_empty() {
        labelled_as(word, text, page);
    }
}

fn labelled_as(word: &str, text: &str, page: &mut Vec<Line>) {
    for (at, part) in wrapped(text, COLUMNS - LABEL).enumerate() {
        let mut line = label(if at == 0 { word } else { "" });
        line.push(part, Role::Plain);
        page.push(line);
    }
}

/// Breaks `text` at blanks into lines of at most `columns`; a longer word is broken inside.
fn wrapped(text: &str, columns: usize) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ') {
        let wide = word.chars().count();
        if used > 0 && used + 1 + wide > columns {
            lines.push(String::new());
            used = 0;
        }
        if used > 0 {
            push(&mut lines, ' ');
            used += 1;
        }
        for c in word.chars() {
            if used == columns {
                lines.push(String::new());
                used = 0;
            }
            push(&mut lines, c);
            used += 1;
        }
    }
    lines.into_iter()
}

fn push(lines: &mut [String], c: char) {
    if let Some(last) = lines.last_mut() {
        last.push(c);
    }
}
