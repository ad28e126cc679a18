//! What people and programs are shown of an account's queries: templates, never texts.
use super::join::principal_code;
use super::*;
use crate::event::{Credential, Sign};

/// One query of the account, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownShape {
    /// Hash of shape, signs and container.
    pub key: u64,
    /// Container and template, blanked and cut; `None` where only the hash was kept.
    pub text: Option<(String, String)>,
    /// Runs, decayed to the time asked for.
    pub runs: f64,
    /// Midnight of the first and of the last day.
    pub days: [Timestamp; 2],
    /// Signs it was seen with.
    pub signs: Vec<Sign>,
    /// 5th, 50th and 95th percentile of an answer, bytes; `None` before an answer was seen.
    pub bytes: Option<[f64; 3]>,
    /// Most rows of one run; 0 where not logged.
    pub rows_max: u32,
    /// Who ran it, of the credentials asked for, in their order.
    pub principals: Vec<Credential>,
    /// How many more did.
    pub other_principals: usize,
}

/// Standard deviations of the 5th, 50th and 95th percentile.
const PERCENTILES: [f64; 3] = [-1.645, 0.0, 1.645];

/// Container and template, each a line, cut to what is kept.
pub(super) fn text(container: &str, template: &str) -> Box<str> {
    let container = cut(container, CONTAINER_BYTES_MAX);
    let room = TEXT_BYTES_MAX - container.len() - 1;
    let template = if template.len() <= room {
        template.to_owned()
    } else {
        format!("{}…", cut(template, room - '…'.len_utf8()))
    };
    format!("{}\n{template}", container.replace('\n', " ")).into()
}

fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

impl QueryShapes {
    /// All shapes as of `now`, heaviest first; who ran them is told of `credentials`.
    pub fn shown(
        &self,
        now: Timestamp,
        credentials: &[Credential],
        profile: &QueriesProfile,
    ) -> Vec<ShownShape> {
        let codes: Vec<u16> = credentials.iter().map(principal_code).collect();
        let left = Landmark(self.landmark).weight(now, profile.half_life_days).recip();
        let mut shapes: Vec<&Shape> = self.shapes.iter().collect();
        shapes.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.key.cmp(&b.key)));
        let shown = shapes.into_iter().map(|shape| {
            let ran = |code: &u16| shape.principals.contains(code);
            let known = codes.iter().zip(credentials).filter(|(code, _)| ran(code));
            let other = |code: &&u16| **code != 0 && !codes.contains(code);
            ShownShape {
                key: shape.key,
                text: self.text_of(shape.key),
                runs: f64::from(shape.weight) * left,
                days: [shape.first_day, shape.last_day].map(|day| Timestamp::of_day(day.into())),
                signs: Sign::of_bits(shape.signs).collect(),
                bytes: shape.percentiles(),
                rows_max: shape.rows_max,
                principals: known.map(|(_, credential)| credential.clone()).collect(),
                other_principals: shape.principals.iter().filter(other).count(),
            }
        });
        shown.collect()
    }

    fn text_of(&self, key: u64) -> Option<(String, String)> {
        let at = self.tokens.binary_search_by_key(&key, |t| t.key).ok()?;
        let (container, template) = self.tokens.get(at)?.text.split_once('\n')?;
        Some((container.to_owned(), template.to_owned()))
    }

    /// Odd new shapes that do not teach yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Texts that did not fit in their cells and taught nothing.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

impl Shape {
    fn percentiles(&self) -> Option<[f64; 3]> {
        let history = self.history();
        (history.n > 0.0).then(|| PERCENTILES.map(|z| history.bytes_at(z).max(0.0).round()))
    }
}
