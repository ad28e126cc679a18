//! Fields of documents and what users type into them.
use super::super::draw::Draw;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    Code,
    Name,
    Words,
    Number,
    Time,
    List,
}

/// The words of one application: its alias and its fields.
#[derive(Clone, Debug)]
pub(crate) struct Vocabulary {
    pub(crate) alias: &'static str,
    pub(crate) fields: Vec<(&'static str, Holds)>,
}

const FIELDS: &[(&str, Holds)] = &[
    ("customerId", Holds::Code),
    ("tenantId", Holds::Code),
    ("status", Holds::Code),
    ("type", Holds::Code),
    ("sku", Holds::Code),
    ("region", Holds::Code),
    ("deviceId", Holds::Code),
    ("email", Holds::Code),
    ("lastName", Holds::Name),
    ("city", Holds::Name),
    ("address.city", Holds::Name),
    ("owner", Holds::Name),
    ("title", Holds::Words),
    ("notes", Holds::Words),
    ("description", Holds::Words),
    ("total", Holds::Number),
    ("quantity", Holds::Number),
    ("price", Holds::Number),
    ("version", Holds::Number),
    ("level", Holds::Number),
    ("createdAt", Holds::Time),
    ("updatedAt", Holds::Time),
    ("dueDate", Holds::Time),
    ("tags", Holds::List),
    ("roles", Holds::List),
];

const NAMES: &[&str] = &[
    "Jansen",
    "Smith",
    "Garc\u{ed}a",
    "M\u{fc}ller",
    "Kowalski",
    "Okafor",
    "Tanaka",
    "Rossi",
    "Novak",
    "Utrecht",
    "Lyon",
    "Austin",
    "Poole",
    "Gdansk",
    "Cork",
    "Union City",
    "Andover",
    "Orly",
];
const APOSTROPHES: &[&str] =
    &["O'Brien", "D'Angelo", "O'Neil", "L'Aquila", "'s-Hertogenbosch", "N'Diaye", "Coeur d'Alene"];
const WORDS: &[&str] = &[
    "select", "union", "or", "and", "delivery", "broken", "where", "late", "drop", "table",
    "order", "refund", "null", "blue", "like new", "not", "true", "1", "10", "sizes", "group",
    "exec", "door",
];

impl Vocabulary {
    /// Draws an application's words.
    pub(crate) fn draw(draw: &mut Draw) -> Vocabulary {
        let mut fields = FIELDS.to_vec();
        draw.shuffle(&mut fields);
        let mut kept: Vec<_> = fields.iter().take(8 + draw.below(8)).copied().collect();
        for wanted in [Holds::Code, Holds::Name, Holds::Number] {
            if !kept.iter().any(|f| f.1 == wanted) {
                kept.extend(fields.iter().find(|f| f.1 == wanted));
            }
        }
        let alias = *draw.pick(&["c", "c", "c", "root", "r", "x", "doc"]);
        Vocabulary { alias, fields: kept }
    }
    /// One of the fields.
    pub(crate) fn field(&self, draw: &mut Draw) -> (&'static str, Holds) {
        *draw.pick(&self.fields)
    }
}

/// A value that a user typed, without quotes. Names with an apostrophe are left out unless
/// `apostrophes`, because a text that holds one in apostrophes is refused.
pub(crate) fn value(holds: Holds, apostrophes: bool, draw: &mut Draw) -> String {
    match holds {
        Holds::Code | Holds::List => match draw.below(4) {
            0 => (*draw.pick(&["open", "closed", "active", "west", "eu-1", "draft"])).to_owned(),
            1 => format!("{:08x}", draw.bits() >> 32),
            2 => format!("AB-{}", 1000 + draw.below(9000)),
            _ => format!("{}@example.com", NAMES[draw.below(6)].to_lowercase()),
        },
        Holds::Name if apostrophes && draw.chance(0.05) => (*draw.pick(APOSTROPHES)).to_owned(),
        Holds::Name => (*draw.pick(NAMES)).to_owned(),
        Holds::Words if draw.chance(0.03) => String::new(),
        Holds::Words => {
            let words: Vec<&str> = (0..1 + draw.below(4)).map(|_| *draw.pick(WORDS)).collect();
            words.join(" ")
        }
        Holds::Number => match draw.below(3) {
            0 => draw.below(10).to_string(),
            1 => draw.below(5000).to_string(),
            _ => format!("{}.{:02}", draw.below(900), draw.below(100)),
        },
        Holds::Time => format!(
            "2026-{:02}-{:02}T{:02}:00:00Z",
            1 + draw.below(12),
            1 + draw.below(28),
            draw.below(24)
        ),
    }
}

/// A name that ends a literal in apostrophes too early.
pub(crate) fn apostrophe(draw: &mut Draw) -> &'static str {
    draw.pick::<&'static str>(APOSTROPHES)
}
