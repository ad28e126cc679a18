//! Mongo commands: canonical form and signs.
use std::borrow::Cow;

use super::json::{Kind, Tree, unescaped};
use super::operators::{self, CLOSE, LIST_CLOSE, LIST_OPEN, OPEN};
use super::{Canonical, SCALAR, Scalar, failed, shown};
use crate::event::{QueryLanguage, QueryRead, Sign};

/// Commands, by the name of the field that says so.
const COMMANDS: [&str; 11] = [
    "find",
    "aggregate",
    "count",
    "distinct",
    "update",
    "delete",
    "insert",
    "findAndModify",
    "findandmodify",
    "mapReduce",
    "mapreduce",
];
/// Fields that say how a command is carried, not what it asks; names of callers among them.
const CARRIAGE: &[&str] = &[
    "$audit",
    "$client",
    "$clusterTime",
    "$db",
    "$readPreference",
    "allowDiskUse",
    "apiDeprecationErrors",
    "apiStrict",
    "apiVersion",
    "autocommit",
    "batchSize",
    "bypassDocumentValidation",
    "comment",
    "cursor",
    "documents",
    "hint",
    "lsid",
    "maxTimeMS",
    "noCursorTimeout",
    "operationTime",
    "ordered",
    "readConcern",
    "singleBatch",
    "startTransaction",
    "txnNumber",
    "writeConcern",
];
/// Last parts of paths under which secrets are stored that callers must show.
const CREDENTIALS: [&str; 9] =
    ["password", "passwd", "pwd", "pass", "passphrase", "passwordhash", "pin", "otp", "secret"];
/// Patterns that match every text.
const ANYTHING: [&str; 12] =
    ["", "^", "$", "^$|", ".*", "^.*", "^.*$", ".*$", ".+", "^.+$", "[\\s\\S]*", "(?:)"];

/// Where in a command a value stands: what its names mean depends on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Command,
    Filter,
    Pipeline,
    Update,
    /// Code where a command of this name has it.
    Code,
    Plain,
}

/// What `text` says.
pub(super) fn read(tree: &mut Tree, text: &str) -> QueryRead {
    let root = match tree.read(text, CARRIAGE) {
        Ok(root) => root,
        Err(broken) => return failed(QueryLanguage::Mongo, broken.at, broken.reason),
    };
    let mut writer = Writer { tree, text, out: Canonical::default() };
    let name = |at: u32| tree.node(at).map_or("", |n| n.key.of(text));
    let command = tree.children(root).map(name).find(|name| COMMANDS.contains(name));
    // The old protocol sends the bare condition.
    let bare = command.is_none() && !tree.children(root).any(|at| name(at) == "$query");
    let place = if bare { Place::Filter } else { Place::Command };
    writer.value(root, place, command.unwrap_or_default());
    let skeleton = xxhash_rust::xxh3::xxh3_64(command.unwrap_or_default().as_bytes());
    writer.out.finish(QueryLanguage::Mongo, skeleton, None)
}

struct Writer<'t> {
    tree: &'t Tree,
    text: &'t str,
    out: Canonical,
}

impl<'t> Writer<'t> {
    fn key(&self, at: u32) -> Cow<'t, str> {
        unescaped(self.tree.node(at).map_or("", |n| n.key.of(self.text)))
    }

    /// The scalar at `at`, with its text.
    fn scalar(&self, at: u32) -> Option<(Scalar, &'t str)> {
        let node = self.tree.node(at)?;
        match node.kind {
            Kind::Scalar(scalar) => Some((scalar, node.value.of(self.text))),
            _ => None,
        }
    }

    fn value(&mut self, at: u32, place: Place, name: &str) {
        let Some(node) = self.tree.node(at) else { return };
        match node.kind {
            Kind::Scalar(scalar) => {
                let from = self.out.text.len();
                self.out.literals += 1;
                self.out.put(SCALAR + scalar as u16, scalar.as_str());
                if scalar == Scalar::Code || place == Place::Code {
                    self.out.mark(Sign::ServerSideCode, from);
                }
            }
            Kind::Object if place == Place::Update && !self.is_of_operators(at) => self.data(),
            Kind::Object => self.object(at, place, name),
            Kind::List => self.list(at, place, name),
        }
    }

    fn data(&mut self) {
        self.out.put(SCALAR + Scalar::Data as u16, Scalar::Data.as_str());
    }

    fn is_of_operators(&self, at: u32) -> bool {
        self.tree.children(at).all(|child| self.key(child).starts_with('$'))
    }

    /// Its fields by name, the command's own first.
    fn object(&mut self, at: u32, place: Place, name: &str) {
        let command = |key: &str| place == Place::Command && COMMANDS.contains(&key);
        let mut fields: Vec<(bool, Cow<'t, str>, u32)> = self
            .tree
            .children(at)
            .map(|child| (self.key(child), child))
            .filter(|(key, _)| place != Place::Command || !CARRIAGE.contains(&&**key))
            .map(|(key, child)| (!command(&key), key, child))
            .collect();
        fields.sort();
        self.out.put(OPEN, "{");
        for (i, (_, key, child)) in fields.iter().enumerate() {
            if i > 0 {
                self.out.text.push_str(", ");
            }
            self.field(key, *child, place, name);
        }
        self.out.put(CLOSE, "}");
    }

    fn field(&mut self, key: &str, child: u32, place: Place, name: &str) {
        let from = self.out.text.len();
        let known = operators::token(key);
        self.out.name(known, &shown(key));
        self.out.text.push_str(": ");
        let inside = inside(place, key, name);
        if place == Place::Update && key.starts_with('$') {
            self.data();
        } else {
            let name = if key.starts_with('$') { name } else { key };
            self.value(child, inside, name);
        }
        self.signs(key, child, place, name, from);
    }

    /// Like elements that follow each other are one; of scalars, one of each type.
    fn list(&mut self, at: u32, place: Place, name: &str) {
        self.out.put(LIST_OPEN, "[");
        let mut scalars = 0_u32;
        let mut before: Option<usize> = None;
        for child in self.tree.children(at) {
            if let Some((scalar, _)) = self.scalar(child) {
                self.out.literals += 1;
                if scalars & 1 << scalar as u32 != 0 {
                    continue;
                }
                scalars |= 1 << scalar as u32;
                self.out.literals -= 1;
            }
            let (tokens, text) = (self.out.tokens.len(), self.out.text.len());
            let marks = self.out.marks.len();
            if before.is_some() {
                self.out.text.push_str(", ");
            }
            self.value(child, place, name);
            let like = before.is_some_and(|then| {
                self.out.tokens.get(then..tokens) == self.out.tokens.get(tokens..)
            });
            if like {
                self.out.tokens.truncate(tokens);
                self.out.starts.truncate(tokens);
                self.out.text.truncate(text);
                self.out.marks.truncate(marks);
            } else {
                before = Some(tokens);
            }
        }
        self.out.put(LIST_CLOSE, "]");
    }

    /// What is odd about a field that was just written, from `from` on.
    fn signs(&mut self, key: &str, child: u32, place: Place, name: &str, from: usize) {
        match key {
            "$where" if matches!(place, Place::Filter) => {
                self.out.mark(Sign::ServerSideCode, from);
            }
            "$function" | "$accumulator" if place != Place::Update => {
                self.out.mark(Sign::ServerSideCode, from);
            }
            _ => {}
        }
        if place != Place::Filter {
            return;
        }
        let compares = |key| matches!(key, "$ne" | "$gt" | "$gte" | "$regex" | "$nin" | "$not");
        let last = name.rsplit('.').next().unwrap_or_default();
        let secret = CREDENTIALS.iter().any(|word| word.eq_ignore_ascii_case(last));
        // "Has one" is an innocent question, and asked by comparing with null.
        let null = self.scalar(child).is_some_and(|(scalar, _)| scalar == Scalar::Null);
        let pattern = match (key, self.scalar(child)) {
            ("$regex", Some((_, pattern))) => Some(pattern),
            (_, Some((Scalar::Regex, pattern))) => Some(pattern),
            _ => None,
        };
        if pattern.is_some_and(|p| ANYTHING.contains(&p)) || (compares(key) && secret && !null) {
            self.out.mark(Sign::MatchesEverything, from);
        }
        let alternatives = || self.tree.children(child);
        if key == "$or" && alternatives().count() > 1 && alternatives().any(|a| self.is_true(a)) {
            self.out.mark(Sign::AlwaysTrueUnderOr, from);
        }
        if key == "$expr" {
            match self.scalar(child) {
                Some((Scalar::Bool, "true")) => self.out.mark(Sign::AlwaysTrueFilter, from),
                Some((Scalar::Number, number)) if number != "0" => {
                    self.out.mark(Sign::AlwaysTrueFilter, from);
                }
                _ if self.compares_constants(child) => {
                    self.out.mark(Sign::ConstantComparison, from);
                }
                _ => {}
            }
        }
    }

    /// A condition that every document meets: none, or one that every `_id` meets.
    fn is_true(&self, condition: u32) -> bool {
        if !self.tree.node(condition).is_some_and(|n| n.kind == Kind::Object) {
            return false;
        }
        self.tree.children(condition).all(|field| match &*self.key(field) {
            "$expr" => {
                self.scalar(field).is_some_and(|(_, text)| !matches!(text, "false" | "0" | "null"))
                    || self.compares_constants(field)
            }
            "_id" => self.tree.children(field).next().is_some_and(|operator| {
                match (&*self.key(operator), self.scalar(operator)) {
                    ("$exists", Some((_, "true" | "1"))) => true,
                    ("$ne", Some((scalar, text))) => {
                        scalar == Scalar::Null || (scalar == Scalar::String && text.is_empty())
                    }
                    _ => false,
                }
            }),
            _ => false,
        })
    }

    /// `{$eq: [1, 1]}`.
    fn compares_constants(&self, expression: u32) -> bool {
        let mut operator = self.tree.children(expression);
        let (Some(first), None) = (operator.next(), operator.next()) else { return false };
        if !matches!(&*self.key(first), "$eq" | "$ne" | "$gt" | "$gte" | "$lt" | "$lte") {
            return false;
        }
        let mut sides = 0;
        self.tree.children(first).all(|side| {
            sides += 1;
            self.scalar(side).is_some_and(|(_, text)| !text.starts_with('$'))
        }) && sides == 2
    }
}

/// What the value of `key` means, inside of `place`; `name` is the command's or the field's.
fn inside(place: Place, key: &str, name: &str) -> Place {
    match (place, key) {
        (Place::Command, "filter" | "query" | "q" | "$query" | "arrayFilters") => Place::Filter,
        (Place::Command, "pipeline") => Place::Pipeline,
        (Place::Command, "updates" | "deletes") => Place::Command,
        (Place::Command, "u" | "update") => Place::Update,
        (Place::Command, "map" | "reduce" | "finalize")
            if name.eq_ignore_ascii_case("mapReduce") =>
        {
            Place::Code
        }
        (Place::Pipeline, "$match") => Place::Filter,
        (Place::Pipeline, "$facet" | "$lookup" | "$unionWith" | "pipeline") => Place::Pipeline,
        (Place::Pipeline, key) if !key.starts_with('$') => Place::Pipeline,
        (Place::Filter, "$expr") => Place::Plain,
        (Place::Filter, _) => Place::Filter,
        _ => Place::Plain,
    }
}
