//! What applications and people ask: the query texts of an account.
//!
//! An account has a book of templates that came with its deployments. Each request takes one and
//! draws its values anew; what a service passes as parameters stays `@name` in the log, what it
//! glues into the text is there, apostrophes and all. People at desks ask what they like.
mod obfuscate;
pub(super) mod payload;
pub(super) mod template;
pub(super) mod values;

use crate::time::Timestamp;

use super::draw::Draw;
use template::{Style, Template};

pub(crate) use obfuscate::obfuscate;

/// What a session's queries are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Asks {
    /// Those of the account's own application, or of a person at a desk.
    #[default]
    Application,
    /// Whole containers: exports, and thieves.
    Everything,
    /// One template with other values each time.
    Template(usize),
    /// The same again and again, refused.
    Broken(String),
    /// One text a request, in this order.
    Probes(Vec<Probe>),
}

/// A request whose text and end are planned.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Probe {
    pub(crate) text: String,
    pub(crate) status: u16,
    /// Bytes of the answer.
    pub(crate) bytes: u64,
}

/// How query text appears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryLog {
    /// As written.
    Full,
    /// Names and strings replaced.
    Obfuscated,
}

/// The queries of an account.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) vocabulary: values::Vocabulary,
    /// Share of its queries that glue values into the text.
    pub(crate) gluing: f64,
    /// In order of their deployment.
    pub(crate) templates: Vec<Template>,
    /// Bytes of a document.
    pub(crate) row_bytes: u64,
    /// Physical partitions.
    pub(crate) partitions: u64,
    /// Queries that fail are logged with their text.
    pub(crate) logs_failed: bool,
    /// Share of queries that fail on an ordinary day.
    pub(crate) malformed: f64,
}

/// One asked query.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) text: String,
    /// Goes to all partitions.
    pub(crate) wide: bool,
    /// Returns one value a partition.
    pub(crate) aggregate: bool,
}

impl Book {
    /// Draws the book that an account starts with.
    pub(crate) fn draw(start: Timestamp, until: Timestamp, draw: &mut Draw) -> Book {
        let vocabulary = values::Vocabulary::draw(draw);
        // Some teams glue everything, some nothing, most a little.
        let gluing = match draw.below(4) {
            0 => 0.0,
            1 => 0.7,
            _ => draw.between(0.1, 0.4),
        };
        let count = 5 + (draw.unit() * draw.unit() * 36.0) as usize;
        let mut templates: Vec<Template> =
            (0..count).map(|_| Template::draw(&vocabulary, gluing, (start, until), draw)).collect();
        if gluing > 0.0 && !templates.iter().any(Template::concatenates) {
            templates.push(Template::glued(&vocabulary, (start, until), draw));
        }
        let glues = templates.iter().any(Template::concatenates);
        Book {
            vocabulary,
            gluing,
            templates,
            row_bytes: draw.log_normal(700.0, 0.5).clamp(120.0, 6000.0) as u64,
            partitions: 1 + draw.below(3) as u64,
            logs_failed: draw.chance(0.5),
            malformed: if glues { draw.log_normal(0.001, 0.8).min(0.006) } else { 0.0005 },
        }
    }
    /// A template in use at `at`, by weight.
    fn choose(&self, at: Timestamp, draw: &mut Draw) -> Option<&Template> {
        let used = || self.templates.iter().filter(|t| at >= t.from && at < t.until);
        let mut x = draw.unit() * used().map(|t| t.weight).sum::<f64>();
        for template in used() {
            x -= template.weight;
            if x < 0.0 {
                return Some(template);
            }
        }
        used().next()
    }
    /// What a request asks at `at`; `failed` ones are what the service cannot read.
    pub(crate) fn ask(
        &self,
        asks: &Asks,
        person: bool,
        failed: bool,
        at: Timestamp,
        draw: &mut Draw,
    ) -> Asked {
        let plain = |text| Asked { text, wide: true, aggregate: false };
        match asks {
            Asks::Everything => plain(self.everything(draw)),
            Asks::Broken(text) => plain(text.clone()),
            // A probe brings its own text; a session never asks more often than it has probes.
            Asks::Probes(_) => plain(String::new()),
            Asks::Template(index) => match self.templates.get(*index) {
                Some(template) => self.asked(template, failed, draw),
                None => plain(self.everything(draw)),
            },
            Asks::Application if person && draw.chance(0.35) => {
                plain(template::ad_hoc(&self.vocabulary, failed, draw))
            }
            Asks::Application => match self.choose(at, draw) {
                Some(template) => self.asked(template, failed, draw),
                None => plain(self.everything(draw)),
            },
        }
    }
    fn asked(&self, template: &Template, failed: bool, draw: &mut Draw) -> Asked {
        // What fails by its data is a template that glues; another fails by a mistake in it.
        let glued = failed.then(|| self.templates.iter().find(|t| t.quotes())).flatten();
        let text = match glued {
            Some(glued) => glued.broken(&self.vocabulary, draw),
            None if failed => {
                let mut text = template.text(&self.vocabulary, draw);
                let end: &&str = draw.pick(&[" AND", " ORDER BY", ")", " WHERE c.id = "]);
                text.push_str(end);
                text
            }
            None => template.text(&self.vocabulary, draw),
        };
        Asked { text, wide: template.wide, aggregate: template.aggregates() }
    }
    fn everything(&self, draw: &mut Draw) -> String {
        let alias = self.vocabulary.alias;
        match draw.below(4) {
            0 => format!("SELECT * FROM {alias} OFFSET {} LIMIT 1000", 1000 * draw.below(50)),
            1 => format!("SELECT VALUE {alias} FROM {alias}"),
            _ => format!("SELECT * FROM {alias}"),
        }
    }
    /// Templates that an attacker may write into at `at`: they glue.
    pub(crate) fn open_to_injection(&self, at: Timestamp) -> Vec<usize> {
        let open = |t: &Template| at >= t.from && at < t.until && t.concatenates();
        (0..self.templates.len()).filter(|i| open(&self.templates[*i])).collect()
    }
}

impl Template {
    /// Values stand in its text, in quotes.
    pub(crate) fn quotes(&self) -> bool {
        matches!(self.style, Style::Quoted(_)) && self.rewrite.is_none() && self.has_text()
    }
}
