//! Tables without boxes: two spaces of margin, numbers right.

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction.
#[derive(Debug, Default)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

/// Widest cell; longer ones are cut in the middle.
pub const CELL_MAX: usize = 72;
/// Widest line. The widest columns of text give way until it holds.
const LINE_MAX: usize = 100;
/// No column of text becomes narrower than this for that.
const TEXT_MIN: usize = 16;

impl Table {
    /// With these columns.
    pub fn new(columns: &[(&str, Align)]) -> Table {
        Table {
            columns: columns.iter().map(|(n, a)| ((*n).to_owned(), *a)).collect(),
            rows: Vec::new(),
        }
    }
    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.into_iter().map(|c| cut(&c, CELL_MAX)).collect());
    }
    /// Header and rows, each a line.
    pub fn lines(&self) -> Vec<String> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|c| {
                let cells = self.rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count());
                cells.chain([self.columns[c].0.chars().count()]).max().unwrap_or(0)
            })
            .collect();
        self.fit(&mut widths);
        let header: Vec<String> = self.columns.iter().map(|(n, _)| n.clone()).collect();
        std::iter::once(&header).chain(&self.rows).map(|row| self.line(row, &widths)).collect()
    }
    /// Narrows the widest columns of text until a line is no longer than it may be.
    fn fit(&self, widths: &mut [usize]) {
        let mut excess =
            widths.iter().map(|width| width + 2).sum::<usize>().saturating_sub(LINE_MAX);
        while excess > 0 {
            let text = widths.iter_mut().zip(&self.columns).filter(|(width, (name, align))| {
                *align == Align::Left && **width > TEXT_MIN.max(name.chars().count())
            });
            let Some((widest, _)) = text.max_by_key(|(width, _)| **width) else { return };
            *widest -= 1;
            excess -= 1;
        }
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in row.iter().zip(widths).zip(&self.columns) {
            let cell = &cut(cell, *width);
            let fill = " ".repeat(width.saturating_sub(cell.chars().count()));
            line.push_str("  ");
            match align {
                Align::Left => line.extend([cell.as_str(), &fill]),
                Align::Right => line.extend([&fill, cell.as_str()]),
            }
        }
        line.trim_end().to_owned()
    }
}

/// Cuts a cell of more than `most` characters in its middle.
fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail = most.saturating_sub(1) / 2;
    let head: String = text.chars().take(most.saturating_sub(1 + tail)).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_left_numbers_right_no_trailing_blanks() {
        let mut table = Table::new(&[("account", Align::Left), ("days", Align::Right)]);
        table.row(vec!["a".into(), "7".into()]);
        table.row(vec!["long-name".into(), "120".into()]);
        assert_eq!(table.lines(), ["  account    days", "  a             7", "  long-name   120"]);
    }

    #[test]
    fn long_cells_are_cut_in_the_middle() {
        assert_eq!(cut(&"x".repeat(100), CELL_MAX).chars().count(), CELL_MAX);
        assert_eq!(cut("abcdefgh", 6), "abc…gh");
    }

    #[test]
    fn the_widest_text_gives_way_until_a_line_fits() {
        let mut table = Table::new(&[
            ("facet", Align::Left),
            ("bytes", Align::Right),
            ("before", Align::Left),
            ("after", Align::Left),
        ]);
        let word = "y".repeat(60);
        table.row(vec!["ends".into(), "1".repeat(20), format!("a{word}b"), format!("c{word}d")]);
        let lines = table.lines();
        assert!(lines.iter().all(|line| line.chars().count() <= LINE_MAX), "{lines:?}");
        assert!(lines[1].contains(&"1".repeat(20)) && lines[1].contains("  ends "), "{lines:?}");
        assert!(lines[1].contains(" ay") && lines[1].contains("yb ") && lines[1].ends_with("yd"));
    }
}
