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
        self.rows.push(cells.into_iter().map(|c| cut(&c)).collect());
    }
    /// Header and rows, each a line.
    pub fn lines(&self) -> Vec<String> {
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|c| {
                let cells = self.rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count());
                cells.chain([self.columns[c].0.chars().count()]).max().unwrap_or(0)
            })
            .collect();
        let header: Vec<String> = self.columns.iter().map(|(n, _)| n.clone()).collect();
        std::iter::once(&header).chain(&self.rows).map(|row| self.line(row, &widths)).collect()
    }
    fn line(&self, row: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for ((cell, width), (_, align)) in row.iter().zip(widths).zip(&self.columns) {
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

/// Cuts a long cell in its middle.
fn cut(text: &str) -> String {
    let count = text.chars().count();
    if count <= CELL_MAX {
        return text.to_owned();
    }
    let half = (CELL_MAX - 1) / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(count - half).collect();
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
        assert_eq!(cut(&"x".repeat(100)).chars().count(), 71);
    }
}
