//! Markup that only the program itself can have written: what comes from logs or people goes through
//! [`Markup::text`], and [`Markup::raw`] takes nothing that is not part of the program.
use crate::alert::words;
use crate::detect::Severity;

/// Longest text of a cell, characters: names in logs are as long as their writer likes.
const TEXT_CHARS_MAX: usize = 160;

/// A page under way.
#[derive(Default)]
pub(super) struct Markup(String);

/// A cell of a table.
pub(super) enum Cell {
    /// Text.
    Text(String),
    /// A figure, to the right.
    Figure(String),
    /// A severity.
    Severity(Severity),
}

impl Markup {
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    pub(super) fn text(&mut self, text: &str) {
        let text = words::visible(text);
        for c in text.chars().take(TEXT_CHARS_MAX) {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            self.0.push('…');
        }
    }

    /// A number inside of a drawing.
    pub(super) fn at(&mut self, value: f64) {
        self.0.push_str(&format!("{:.1}", if value.is_finite() { value } else { 0.0 }));
    }

    /// Text between two pieces of markup.
    pub(super) fn put(&mut self, open: &'static str, text: &str, close: &'static str) {
        self.raw(open);
        self.text(text);
        self.raw(close);
    }

    /// The letter and the word of a severity.
    pub(super) fn severity(&mut self, severity: Severity) {
        self.raw(match severity {
            Severity::Low => "<span class=\"sev low\"><b>L</b> Low</span>",
            Severity::Medium => "<span class=\"sev medium\"><b>M</b> Medium</span>",
            Severity::High => "<span class=\"sev high\"><b>H</b> High</span>",
        });
    }

    /// A table; `heads` say whether their column holds figures. The first cell of a row names it.
    pub(super) fn table(
        &mut self,
        caption: &str,
        heads: &[(&'static str, bool)],
        rows: &[Vec<Cell>],
    ) {
        self.put("<div class=\"wide\"><table><caption>", caption, "</caption><thead><tr>");
        for (head, figure) in heads {
            self.raw(if *figure { "<th scope=\"col\" class=\"n\">" } else { "<th scope=\"col\">" });
            self.put("", head, "</th>");
        }
        self.raw("</tr></thead><tbody>");
        for row in rows {
            self.raw("<tr>");
            for (n, cell) in row.iter().enumerate() {
                self.cell(cell, n == 0);
            }
            self.raw("</tr>");
        }
        self.raw("</tbody></table></div>");
    }

    fn cell(&mut self, cell: &Cell, names_the_row: bool) {
        let close = if names_the_row { "</th>" } else { "</td>" };
        self.raw(match (names_the_row, cell) {
            (true, _) => "<th scope=\"row\">",
            (false, Cell::Figure(_)) => "<td class=\"n\">",
            (false, _) => "<td>",
        });
        match cell {
            Cell::Text(text) | Cell::Figure(text) => self.text(text),
            Cell::Severity(severity) => self.severity(*severity),
        }
        self.raw(close);
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }
}
