//! Leaves of a TOML file with their line and column.
use std::path::Path;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Value};

use super::ConfigError;

/// One value of the file.
pub struct Leaf {
    /// Its path.
    pub key: Vec<String>,
    /// The value.
    pub value: Value,
    /// Line of the key, from 1.
    pub line: usize,
    /// Column of the key, from 1.
    pub column: usize,
}

/// All leaves in file order.
///
/// # Errors
/// The file is not TOML; the message names line and column.
pub fn leaves(path: &Path, text: &str) -> Result<Vec<Leaf>, ConfigError> {
    let located = |e: &toml::de::Error| {
        let (line, column) = e.span().map_or((1, 1), |s| line_column(text, s.start));
        ConfigError(format!("{}:{line}:{column}: {}", path.display(), e.message()))
    };
    let values: toml::Table = text.parse().map_err(|e| located(&e))?;
    let table = DeTable::parse(text).map_err(|e| located(&e))?;
    let mut out = Vec::new();
    walk(text, table.get_ref(), &values, &mut Vec::new(), &mut out);
    Ok(out)
}

fn walk(
    text: &str,
    table: &DeTable<'_>,
    values: &toml::Table,
    path: &mut Vec<String>,
    out: &mut Vec<Leaf>,
) {
    let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        let name = key.get_ref().to_string();
        let Some(plain) = values.get(&name) else { continue };
        path.push(name);
        match (value.get_ref(), plain) {
            (DeValue::Table(inner), Value::Table(plain)) if !plain.is_empty() => {
                walk(text, inner, plain, path, out)
            }
            (_, plain) => {
                let (line, column) = line_column(text, key.span().start);
                out.push(Leaf { key: path.clone(), value: plain.clone(), line, column });
            }
        }
        path.pop();
    }
}

fn line_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
