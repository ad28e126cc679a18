//! The two small pictures of the page: the rarity ruler and the hours.
use super::{Glyphs, Line, Role};
use crate::detect::Severity;
use crate::severity::BANDS;

/// Days in a year.
const YEAR_DAYS: f64 = 365.25;
/// Ends that the ruler may have, years.
const ENDS_YEARS: [f64; 6] = [30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0];
/// Width of the ruler without the words at its ends, columns.
const RULER_COLUMNS: usize = 66;
/// Hours that are drawn.
pub(super) const HOURS_DRAWN: usize = 24;

/// The ruler: a logarithmic axis from a day to years, the bands of this kind, one mark.
pub(super) struct Ruler {
    /// Days between such moments in innocent life.
    pub observed: f64,
    /// Bands that this kind has: severity and the days from which it begins, ascending.
    pub bands: Vec<(Severity, f64)>,
}

impl Ruler {
    /// Bands between floor and cap whose limits are known. The lowest begins where the floor does.
    pub(super) fn new(
        per_day: f64,
        limits: [Option<f64>; 3],
        floor: Severity,
        cap: Severity,
    ) -> Ruler {
        let bands = BANDS
            .into_iter()
            .zip(limits)
            .filter(|(severity, _)| (floor..=cap).contains(severity))
            .filter_map(|(severity, limit)| Some((severity, 1.0 / limit.filter(|l| *l > 0.0)?)))
            .filter(|(_, days)| days.is_finite())
            .collect();
        Ruler { observed: if per_day > 0.0 { 1.0 / per_day } else { f64::INFINITY }, bands }
    }

    /// Years at which the axis ends.
    fn end_years(&self) -> f64 {
        let last = self.bands.last().map_or(0.0, |(_, days)| days * 1.5 / YEAR_DAYS);
        ENDS_YEARS.into_iter().find(|end| *end >= last).unwrap_or(10_000.0)
    }

    fn column(&self, days: f64) -> usize {
        let share = days.max(1.0).ln() / (self.end_years() * YEAR_DAYS).ln();
        (share.min(1.0) * (RULER_COLUMNS - 1) as f64).round() as usize
    }

    /// The mark's column: inside the axis and, where it would cover the beginning of its own band,
    /// one further.
    fn mark(&self) -> usize {
        let at = self.column(self.observed).clamp(1, RULER_COLUMNS - 2);
        let covers = |(_, days): &(Severity, f64)| self.column(*days) == at;
        let Some((_, days)) = self.bands.iter().find(|b| covers(b)) else { return at };
        if self.observed >= *days { (at + 1).min(RULER_COLUMNS - 2) } else { at.max(2) - 1 }
    }

    /// The ruler as a line.
    pub(super) fn line(&self, glyphs: Glyphs) -> Line {
        let (dash, left, bound, right, mark) = match glyphs {
            Glyphs::Unicode => ('─', '├', '┼', '┤', '▲'),
            Glyphs::Ascii => ('-', '|', '|', '|', '^'),
        };
        let mut cells = vec![(dash, Role::Dim); RULER_COLUMNS];
        let mark_at = self.mark();
        let mut from = 0;
        let mut name = ("silent", Role::Dim);
        for (severity, days) in &self.bands {
            let to = self.column(*days).min(RULER_COLUMNS - 1);
            write_name(&mut cells, (from, to), mark_at, name);
            cells[to] = (bound, Role::Dim);
            (from, name) = (to, (severity.as_str(), Role::Severity(*severity)));
        }
        write_name(&mut cells, (from, RULER_COLUMNS - 1), mark_at, name);
        cells[0] = (left, Role::Dim);
        cells[RULER_COLUMNS - 1] = (right, Role::Dim);
        cells[mark_at] = (mark, Role::Broke);
        let mut line = Line::of("daily ", Role::Dim);
        for (c, role) in cells {
            match line.0.last_mut() {
                Some(last) if last.role == role => last.text.push(c),
                _ => line.push(c, role),
            }
        }
        line.push(format!(" {} years", crate::alert::words::count(self.end_years())), Role::Dim);
        line
    }
}

/// Writes a band's name in the middle of its free part: the larger side of the mark.
fn write_name(
    cells: &mut [(char, Role)],
    (from, to): (usize, usize),
    mark: usize,
    (name, role): (&str, Role),
) {
    let (mut a, mut b) = (from + 1, to);
    if (a..b).contains(&mark) {
        if mark - a > b - mark { b = mark } else { a = mark + 1 }
    }
    let room = b.saturating_sub(a);
    let text = match () {
        () if room >= name.len() + 2 => format!(" {name} "),
        () if room >= 3 => name.chars().take(1).collect(),
        () => return,
    };
    let start = a + (room - text.len()) / 2;
    for (cell, c) in cells.iter_mut().skip(start).zip(text.chars()) {
        *cell = (c, role);
    }
}

/// One character an hour, logarithmic between the smallest and the largest; the last
/// [`HOURS_DRAWN`]. Nothing returned is a blank, no logs has its own mark.
pub(super) fn hours(observed: &[Option<f64>], glyphs: Glyphs) -> String {
    let (levels, gap): (Vec<char>, char) = match glyphs {
        Glyphs::Unicode => ("▁▂▃▄▅▆▇█".chars().collect(), '·'),
        Glyphs::Ascii => ("_.-=+*#@".chars().collect(), '?'),
    };
    let shown = &observed[observed.len().saturating_sub(HOURS_DRAWN)..];
    let known = shown.iter().flatten().filter(|v| v.is_finite() && **v > 0.0);
    let (low, high) =
        known.fold((f64::INFINITY, 0.0), |(l, h): (f64, f64), v| (l.min(*v), h.max(*v)));
    let span = (high.ln() - low.ln()).max(f64::MIN_POSITIVE);
    let top = levels.len() - 1;
    shown
        .iter()
        .map(|hour| match hour {
            None => gap,
            Some(v) if !v.is_finite() => gap,
            Some(v) if *v <= 0.0 => ' ',
            Some(v) => {
                let level = ((v.ln() - low.ln()) / span * top as f64).round() as usize;
                levels[level.min(top)]
            }
        })
        .collect()
}
