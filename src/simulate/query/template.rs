//! One query of an application: what is fixed, what is drawn anew, and how values get into it.
use crate::time::Timestamp;

use super::super::draw::Draw;
use super::payload::Injection;
use super::values::{self, Holds, Vocabulary};

/// How values get into the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As parameters.
    Parameters,
    /// Glued into it, strings between these.
    Quoted(char),
}

/// What a condition does with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Compare(&'static str),
    Call(&'static str),
    Like,
    In(usize),
}

/// One condition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Condition {
    pub(crate) field: &'static str,
    pub(crate) holds: Holds,
    pub(crate) test: Test,
}

/// What the gateway makes of a query that it has to merge from partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rewrite {
    Ordered(&'static str),
    Aggregate(&'static str),
}

/// A query of an application.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) weight: f64,
    pub(crate) style: Style,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) rewrite: Option<Rewrite>,
    /// All partitions are asked.
    pub(crate) wide: bool,
    /// Empty for all fields.
    projection: Vec<&'static str>,
    tail: String,
    gap: &'static str,
}

fn condition(vocabulary: &Vocabulary, draw: &mut Draw) -> Condition {
    let (field, holds) = vocabulary.field(draw);
    let test = match holds {
        Holds::Code | Holds::Name if draw.chance(0.1) => Test::In(2 + draw.below(4)),
        Holds::Name if draw.chance(0.3) => Test::Call("STARTSWITH"),
        Holds::Code | Holds::Name => Test::Compare(if draw.chance(0.9) { "=" } else { "!=" }),
        Holds::Words if draw.chance(0.25) => Test::Like,
        Holds::Words => Test::Call("CONTAINS"),
        Holds::List => Test::Call("ARRAY_CONTAINS"),
        Holds::Number => Test::Compare(draw.pick::<&'static str>(&["=", ">", "<", ">=", "<="])),
        Holds::Time => Test::Compare(draw.pick::<&'static str>(&[">", ">=", "<"])),
    };
    Condition { field, holds, test }
}

impl Template {
    /// Draws one that is used within `span`; a share `gluing` of them glue values into the text.
    pub(crate) fn draw(
        vocabulary: &Vocabulary,
        gluing: f64,
        span: (Timestamp, Timestamp),
        draw: &mut Draw,
    ) -> Template {
        let mut conditions: Vec<Condition> =
            (0..1 + draw.below(3)).map(|_| condition(vocabulary, draw)).collect();
        if draw.chance(0.03) {
            conditions.clear();
        }
        let style = match (draw.chance(gluing), draw.chance(0.7)) {
            (false, _) => Style::Parameters,
            (true, single) => Style::Quoted(if single { '\'' } else { '"' }),
        };
        let projection = (0..draw.below(4)).map(|_| vocabulary.field(draw).0).collect();
        let order = vocabulary.field(draw).0;
        let (rewrite, tail) = match draw.below(10) {
            0 | 1 => (Some(Rewrite::Ordered(order)), String::new()),
            2 => {
                let name = *draw.pick(&["COUNT", "SUM", "MAX"]);
                (Some(Rewrite::Aggregate(name)), String::new())
            }
            3 => (None, format!("ORDER BY {}.{order} DESC", vocabulary.alias)),
            4 => (None, "OFFSET 0 LIMIT 20".to_owned()),
            _ => (None, String::new()),
        };
        Template {
            from: span.0,
            until: span.1,
            weight: draw.log_normal(1.0, 1.2),
            style,
            conditions,
            rewrite,
            wide: draw.chance(0.4),
            projection,
            tail,
            gap: draw.pick::<&'static str>(&[" ", " ", " ", "\r\n", "\n    "]),
        }
    }
    /// Draws one that glues a string.
    pub(crate) fn glued(
        vocabulary: &Vocabulary,
        span: (Timestamp, Timestamp),
        draw: &mut Draw,
    ) -> Template {
        let mut template = Template::draw(vocabulary, 1.0, span, draw);
        let names = vocabulary.fields.iter().find(|f| f.1 == Holds::Name);
        let &(field, holds) = names.unwrap_or(&("id", Holds::Code));
        template.conditions.insert(0, Condition { field, holds, test: Test::Compare("=") });
        template
    }
    /// Values are part of the text.
    pub(crate) fn concatenates(&self) -> bool {
        self.style != Style::Parameters && !self.conditions.is_empty()
    }
    /// Returns one value a partition.
    pub(crate) fn aggregates(&self) -> bool {
        matches!(self.rewrite, Some(Rewrite::Aggregate(_)))
    }
    /// Some value is a string.
    pub(crate) fn has_text(&self) -> bool {
        self.conditions.iter().any(|c| c.holds != Holds::Number)
    }
    /// With values drawn anew.
    pub(crate) fn text(&self, vocabulary: &Vocabulary, draw: &mut Draw) -> String {
        let quote = self.quote();
        let parts: Vec<String> = (0..self.conditions.len())
            .map(|i| self.condition(vocabulary, i, quote, draw))
            .collect();
        match self.rewrite {
            Some(rewrite) => self.rewritten(vocabulary, rewrite, &conjunction(&parts)),
            None => self.written(vocabulary, &parts),
        }
    }
    /// With a name in it whose apostrophe ends the literal.
    pub(crate) fn broken(&self, vocabulary: &Vocabulary, draw: &mut Draw) -> String {
        let text = self.text(vocabulary, draw);
        let quote = self.quote();
        let Some(at) = text.find(quote) else { return text };
        let value = match quote {
            '"' => "27\" monitor",
            _ => values::apostrophe(draw),
        };
        let end = text[at + 1..].find(quote).map_or(text.len(), |n| at + 1 + n);
        format!("{}{value}{}", &text[..=at], &text[end..])
    }
    /// With an injection in it.
    pub(crate) fn injected(
        &self,
        vocabulary: &Vocabulary,
        injection: &Injection,
        draw: &mut Draw,
    ) -> String {
        let place = injection.place;
        let quote = self.quote();
        let mut parts: Vec<String> = (0..self.conditions.len())
            .map(|i| self.condition(vocabulary, i, quote, draw))
            .collect();
        let Some(condition) = self.conditions.get(place) else {
            return self.written(vocabulary, &parts);
        };
        match self.rewrite {
            // What a comment hides never reaches the gateway's rewriting; nor does what is refused.
            Some(rewrite) if !injection.comment && injection.tail.is_none() => {
                let mut rest = vec![injection.predicate.clone()];
                rest.extend_from_slice(&parts[place + 1..]);
                let before = conjunction(&parts[..=place]);
                let whole = format!("({before}) {} ({})", injection.glue, conjunction(&rest));
                self.rewritten(vocabulary, rewrite, &whole)
            }
            _ => {
                let value = values::value(condition.holds, false, draw);
                let inside = injection.inside(condition, quote, &value, vocabulary.alias);
                parts[place] = write_condition(vocabulary.alias, condition, quote, &inside);
                self.written(vocabulary, &parts)
            }
        }
    }
    /// The quote of literals as the log shows it: the gateway writes its own.
    pub(crate) fn quote(&self) -> char {
        match (self.style, self.rewrite) {
            (Style::Quoted(quote), None) => quote,
            _ => '"',
        }
    }
    fn condition(
        &self,
        vocabulary: &Vocabulary,
        index: usize,
        quote: char,
        draw: &mut Draw,
    ) -> String {
        let condition = &self.conditions[index];
        let alias = vocabulary.alias;
        if self.style == Style::Parameters {
            let name = format!("@{}{index}", condition.field.rsplit('.').next().unwrap_or("p"));
            return match condition.test {
                Test::Compare(op) => format!("{alias}.{} {op} {name}", condition.field),
                Test::Call(call) => format!("{call}({alias}.{}, {name})", condition.field),
                Test::Like => format!("{alias}.{} LIKE {name}", condition.field),
                Test::In(_) => format!("ARRAY_CONTAINS({name}, {alias}.{})", condition.field),
            };
        }
        let mut value = values::value(condition.holds, quote == '"', draw);
        if let Test::In(n) = condition.test {
            for _ in 0..draw.below(n) {
                let next = values::value(condition.holds, quote == '"', draw);
                value = format!("{value}{quote}, {quote}{next}");
            }
        }
        write_condition(alias, condition, quote, &value)
    }
    fn head(&self, vocabulary: &Vocabulary) -> String {
        let alias = vocabulary.alias;
        if self.projection.is_empty() {
            return "*".to_owned();
        }
        let fields: Vec<String> = self.projection.iter().map(|f| format!("{alias}.{f}")).collect();
        format!("{alias}.id, {}", fields.join(", "))
    }
    fn written(&self, vocabulary: &Vocabulary, parts: &[String]) -> String {
        let (gap, alias) = (self.gap, vocabulary.alias);
        let head = match self.rewrite {
            Some(Rewrite::Aggregate("COUNT")) => "VALUE COUNT(1)".to_owned(),
            Some(Rewrite::Aggregate(name)) => format!("VALUE {name}({alias}.total)"),
            _ => self.head(vocabulary),
        };
        let mut text = format!("SELECT {head}{gap}FROM {alias}");
        if !parts.is_empty() {
            text.push_str(&format!("{gap}WHERE {}", parts.join(" AND ")));
        }
        if let Some(Rewrite::Ordered(order)) = self.rewrite {
            text.push_str(&format!("{gap}ORDER BY {alias}.{order}"));
        }
        if !self.tail.is_empty() {
            text.push_str(gap);
            text.push_str(&self.tail);
        }
        text
    }
    fn rewritten(&self, vocabulary: &Vocabulary, rewrite: Rewrite, tests: &str) -> String {
        let alias = vocabulary.alias;
        match rewrite {
            Rewrite::Ordered(order) => format!(
                "SELECT {alias}._rid, [{{\"item\": {alias}.{order}}}] AS orderByItems, {alias} AS payload\nFROM {alias}\nWHERE (({tests}) AND (true))\nORDER BY {alias}.{order} ASC"
            ),
            Rewrite::Aggregate("COUNT") => {
                format!("SELECT VALUE [{{\"item\": COUNT(1)}}]\nFROM {alias}\nWHERE ({tests})")
            }
            Rewrite::Aggregate(name) => format!(
                "SELECT VALUE [{{\"item\": {name}({alias}.total)}}]\nFROM {alias}\nWHERE ({tests})"
            ),
        }
    }
}

/// Conditions as the gateway prints them: each pair in brackets.
fn conjunction(parts: &[String]) -> String {
    let both = |left: String, right: &String| format!("({left}) AND ({right})");
    match parts {
        [] => "true".to_owned(),
        [first, rest @ ..] => rest.iter().fold(first.clone(), both),
    }
}

/// A condition around what stands between its quotes.
fn write_condition(alias: &str, condition: &Condition, quote: char, inside: &str) -> String {
    let field = condition.field;
    let literal = match condition.holds {
        Holds::Number => inside.to_owned(),
        _ => format!("{quote}{inside}{quote}"),
    };
    match condition.test {
        Test::Compare(op) => format!("{alias}.{field} {op} {literal}"),
        Test::Call(call) => format!("{call}({alias}.{field}, {literal})"),
        Test::Like => format!("{alias}.{field} LIKE {quote}%{inside}%{quote}"),
        Test::In(_) => format!("{alias}.{field} IN ({literal})"),
    }
}

/// What people type into Data Explorer.
pub(crate) fn ad_hoc(vocabulary: &Vocabulary, failed: bool, draw: &mut Draw) -> String {
    let c = vocabulary.alias;
    let (field, holds) = vocabulary.field(draw);
    let value = values::value(holds, false, draw);
    let text = match draw.below(14) {
        0 => format!("SELECT * FROM {c} WHERE 1=1"),
        1 => format!("SELECT * FROM {c} WHERE IS_DEFINED({c}.{field})"),
        2 => format!("SELECT * FROM {c} WHERE NOT IS_DEFINED({c}.{field})"),
        3 => format!("SELECT * FROM {c} WHERE {c}.{field} LIKE '%{value}%'"),
        4 => format!(
            "SELECT * FROM {c} WHERE EXISTS(SELECT VALUE t FROM t IN {c}.tags WHERE t = '{value}')"
        ),
        5 => format!("SELECT VALUE COUNT(1) FROM {c}"),
        6 => format!("SELECT TOP {} * FROM {c}", 10 * (1 + draw.below(20))),
        7 => format!("SELECT {c}.{field}, COUNT(1) AS n FROM {c} GROUP BY {c}.{field}"),
        8 => format!("SELECT DISTINCT VALUE {c}.{field} FROM {c}"),
        9 => {
            format!("SELECT * FROM {c} WHERE {c}._ts > {}", 1_700_000_000 + draw.below(90_000_000))
        }
        10 => format!("SELECT * FROM {c} WHERE {c}.id = '{value}' -- check with support"),
        11 => format!("SELECT * FROM {c} WHERE {c}.{field} = '{value}' OR {c}.id = '{value}'"),
        12 => format!(
            "SELECT * FROM {c} ORDER BY {c}._ts DESC OFFSET 0 LIMIT {}",
            10 + draw.below(90)
        ),
        _ => format!("SELECT * FROM {c}"),
    };
    match (failed, draw.below(3)) {
        (false, _) => text,
        (true, 0) => text.replacen("FROM", "FORM", 1),
        (true, 1) => format!("{text} WHERE"),
        (true, _) => format!("{text};"),
    }
}
