//! A source file as the rules see it: no comments, no literals, no tests, and a list of imports.
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One imported or written-out path, resolved: `cosmoguard::…` for this crate.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub path: String,
    pub line: usize,
}

/// A file of the library.
pub struct SourceFile {
    /// Below `src/`, with `/`.
    pub path: String,
    /// Its module, `a::b`; empty for the roots.
    pub module: String,
    /// Its text with everything blanked that is not code of the program.
    pub text: String,
    /// Lines outside of tests.
    pub own_lines: usize,
    /// What it imports, by line.
    pub imports: Vec<Import>,
}

impl SourceFile {
    /// All files below `src` that are not tests.
    pub fn read_tree(src: &Path) -> Vec<SourceFile> {
        let walk = walkdir::WalkDir::new(src).sort_by_file_name().into_iter().flatten();
        let paths: Vec<PathBuf> = walk
            .map(|e| e.into_path())
            .filter(|p| p.extension().is_some_and(|e| e == "rs"))
            .collect();
        let mut files = Vec::new();
        let mut tests = BTreeSet::new();
        for path in &paths {
            let raw = fs::read_to_string(path).expect("a source file is text");
            let below = path.strip_prefix(src).expect("it lies below");
            let (file, test_modules) = SourceFile::parse(&below.to_string_lossy(), &raw);
            tests.extend(test_modules);
            files.push(file);
        }
        let is_test = |module: &str| tests.iter().any(|t: &String| super::is_within(module, t));
        files.retain(|f| !is_test(&f.module));
        files
    }

    /// The file and the modules that it declares for tests only.
    fn parse(path: &str, raw: &str) -> (SourceFile, Vec<String>) {
        let path = path.replace('\\', "/");
        let module = module_of(&path);
        let mut text = blank_comments_and_literals(raw);
        let (test_modules, test_lines) = blank_tests(&mut text, raw, &path, &module);
        let imports = imports(&text, &path, &module);
        let own_lines = raw.lines().count() - test_lines;
        (SourceFile { path, module, text, own_lines, imports }, test_modules)
    }
}

fn module_of(path: &str) -> String {
    let stem = path.strip_suffix(".rs").unwrap_or(path);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    if stem == "lib" || stem == "main" { String::new() } else { stem.replace('/', "::") }
}

fn join(module: &str, name: &str) -> String {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Replaces comments, strings and characters by spaces; lines and offsets stay.
fn blank_comments_and_literals(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(bytes, at);
        match end {
            Some(end) => {
                for byte in &mut out[at..end] {
                    if *byte != b'\n' {
                        *byte = b' ';
                    }
                }
                at = end;
            }
            None => at += 1,
        }
    }
    String::from_utf8(out).expect("whole literals were blanked")
}

/// End of the comment or literal that begins at `at`, if one does.
fn literal_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    let after_word = at > 0 && is_word(char::from(bytes[at - 1]));
    match rest[0] {
        b'/' if rest.starts_with(b"//") => {
            Some(rest.iter().position(|b| *b == b'\n').map_or(bytes.len(), |n| at + n))
        }
        b'/' if rest.starts_with(b"/*") => Some(block_comment_end(bytes, at)),
        b'"' => Some(string_end(bytes, at)),
        b'r' if !after_word => raw_string_end(bytes, at + 1),
        b'b' | b'c' if !after_word && rest.get(1) == Some(&b'r') => raw_string_end(bytes, at + 2),
        b'\'' => char_end(bytes, at),
        _ => None,
    }
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut at) = (0, at);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string_end(bytes: &[u8], hashes_from: usize) -> Option<usize> {
    let hashes = bytes[hashes_from..].iter().take_while(|b| **b == b'#').count();
    let open = hashes_from + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = &bytes[open + 1..];
    let length =
        body.windows(close.len()).position(|w| w == close).unwrap_or(body.len() - close.len());
    Some(open + 1 + length + close.len())
}

/// A character literal, not a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    let text = std::str::from_utf8(&bytes[at + 1..]).ok()?;
    let first = text.chars().next()?;
    if first == '\\' {
        let close = text[2..].find('\'')?;
        return Some(at + 1 + 2 + close + 1);
    }
    text[first.len_utf8()..].starts_with('\'').then(|| at + 1 + first.len_utf8() + 1)
}

/// Blanks `#[cfg(test)]` items; returns the modules among them and how many lines they took.
fn blank_tests(text: &mut String, raw: &str, path: &str, module: &str) -> (Vec<String>, usize) {
    const MARK: &str = "#[cfg(test)]";
    let (mut modules, mut lines) = (Vec::new(), 0);
    while let Some(start) = text.find(MARK) {
        let end = item_end(text, start + MARK.len());
        let item = &text[start..end];
        if let Some(name) = declared_module(item) {
            modules.push(match path_attribute(&raw[start..end]) {
                Some(file) => module_of(&sibling(path, &file)),
                None => join(module, name),
            });
        }
        lines += item.matches('\n').count() + 1;
        let blank: String = item.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        text.replace_range(start..end, &blank);
    }
    (modules, lines)
}

/// End of the item that begins at `from`: a semicolon or the brace that closes it.
fn item_end(text: &str, from: usize) -> usize {
    let mut depth = 0_i32;
    for (offset, c) in text[from..].char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth -= 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return from + offset + 1;
                }
            }
            ';' if depth == 0 => return from + offset + 1,
            _ => {}
        }
    }
    text.len()
}

fn declared_module(item: &str) -> Option<&str> {
    let name = item.strip_suffix(';')?.trim_end();
    let (before, name) = name.rsplit_once(char::is_whitespace)?;
    before.split_whitespace().next_back().filter(|word| *word == "mod").map(|_| name)
}

fn path_attribute(raw_item: &str) -> Option<String> {
    let after = raw_item.split_once("#[path = \"")?.1;
    Some(after.split_once('"')?.0.to_owned())
}

fn sibling(path: &str, file: &str) -> String {
    path.rsplit_once('/').map_or(file.to_owned(), |(folder, _)| format!("{folder}/{file}"))
}

/// Every `use` leaf and every path written out in the code.
fn imports(text: &str, path: &str, module: &str) -> Vec<Import> {
    let declared: BTreeSet<&str> = words_after(text, "mod").map(|(_, name)| name).collect();
    let mut code = text.to_owned();
    let mut found = BTreeSet::new();
    let resolver =
        Resolver { module, declared: &declared, is_root: matches!(path, "lib.rs" | "main.rs") };
    for (start, _) in words_after(text, "use") {
        let end = text[start..].find(';').map_or(text.len(), |n| start + n);
        let mut leaves = Vec::new();
        unfold(&text[start..end], String::new(), start, &mut leaves);
        for (leaf, at) in leaves {
            found.insert(Import { path: resolver.resolve(&leaf), line: line_of(text, at) });
        }
        let blank: String =
            text[start..end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
        code.replace_range(start..end, &blank);
    }
    for (at, written) in written_paths(&code) {
        found.insert(Import { path: resolver.resolve(&written), line: line_of(text, at) });
    }
    let mut imports: Vec<Import> = found.into_iter().collect();
    imports.sort_by(|a, b| (a.line, &a.path).cmp(&(b.line, &b.path)));
    imports
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// Where and what follows each occurrence of a keyword.
fn words_after<'a>(text: &'a str, keyword: &'static str) -> impl Iterator<Item = (usize, &'a str)> {
    text.match_indices(keyword).filter_map(move |(at, _)| {
        let before = text[..at].chars().next_back();
        let rest = &text[at + keyword.len()..];
        let stands_alone = !before.is_some_and(is_word) && rest.starts_with(char::is_whitespace);
        let start = at + keyword.len() + (rest.len() - rest.trim_start().len());
        let word = text[start..].split(|c: char| !is_word(c)).next().unwrap_or_default();
        stands_alone.then_some((start, word))
    })
}

/// Unfolds a use tree into its leaves, without `as`, `self` and `*`.
fn unfold(tree: &str, prefix: String, offset: usize, out: &mut Vec<(String, usize)>) {
    let indent = tree.len() - tree.trim_start().len();
    let (tree, offset) = (tree.trim(), offset + indent);
    if tree.is_empty() {
        return;
    }
    let Some((head, group)) = tree.split_once('{') else {
        let name = tree.split_whitespace().next().unwrap_or_default();
        let full = format!("{prefix}{name}");
        let full = full.trim_end_matches("::*").trim_end_matches("::self");
        out.push((full.to_owned(), offset));
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let body_at = offset + head.len() + 1;
    let body = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut from) = (0, 0);
    for (at, c) in body.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                unfold(&body[from..at], prefix.clone(), body_at + from, out);
                from = at + 1;
            }
            _ => {}
        }
    }
    unfold(&body[from..], prefix, body_at + from, out);
}

/// Paths of two segments and more, outside of `use`.
fn written_paths(code: &str) -> Vec<(usize, String)> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(char::from(bytes[at])) {
            at += 1;
            continue;
        }
        let path_bytes = |b: &&u8| is_word(char::from(**b)) || **b == b':';
        let end = at + bytes[at..].iter().take_while(path_bytes).count();
        let written = code[at..end].trim_end_matches(':');
        let follows_path = at >= 2 && bytes[at - 2..at] == *b"::";
        if written.contains("::") && !follows_path {
            found.push((at, written.to_owned()));
        }
        at = end.max(at + 1);
    }
    found
}

struct Resolver<'a> {
    module: &'a str,
    declared: &'a BTreeSet<&'a str>,
    is_root: bool,
}

impl Resolver<'_> {
    /// The path from the crate's root, `cosmoguard::…`, or as it is for another crate.
    fn resolve(&self, written: &str) -> String {
        let mut segments: Vec<&str> = written.trim_start_matches("::").split("::").collect();
        let first = segments[0];
        let mut base: Vec<&str> = self.module.split("::").filter(|s| !s.is_empty()).collect();
        match first {
            "crate" => base.clear(),
            "self" => {}
            "super" => {
                while segments.first() == Some(&"super") {
                    segments.remove(0);
                    base.pop();
                }
                return ["cosmoguard"]
                    .into_iter()
                    .chain(base)
                    .chain(segments)
                    .collect::<Vec<_>>()
                    .join("::");
            }
            _ if self.declared.contains(first) && !self.is_root => segments.insert(0, "self"),
            _ => return segments.join("::"),
        }
        segments.remove(0);
        ["cosmoguard"].into_iter().chain(base).chain(segments).collect::<Vec<_>>().join("::")
    }
}

/// Functions and their lines, from the signature to the closing brace.
pub fn functions(text: &str) -> Vec<(String, usize)> {
    let bodied = words_after(text, "fn").filter(|(_, name)| !name.is_empty());
    bodied
        .map(|(start, name)| {
            (name.to_owned(), text[start..item_end(text, start)].matches('\n').count() + 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(module_path: &str, raw: &str) -> Vec<String> {
        SourceFile::parse(module_path, raw).0.imports.into_iter().map(|i| i.path).collect()
    }

    #[test]
    fn use_trees_unfold_and_relative_paths_resolve() {
        let raw = "use std::{fs, time::{Duration, Instant as Now}};\nuse super::model::M;\nuse crate::ids;\n";
        let want = [
            "std::fs",
            "std::time::Duration",
            "std::time::Instant",
            "cosmoguard::account::model::M",
            "cosmoguard::ids",
        ];
        assert_eq!(paths("account/actor.rs", raw), want);
    }

    #[test]
    fn written_out_paths_count_and_comments_literals_and_tests_do_not() {
        let raw = "// sled::Db\nfn f() -> sled::Db { g(\"tokio::x\", 'a', r#\"rand::rng\"#) }\n\
                   #[cfg(test)]\nmod tests { use std::fs; }\nfn h<'a>(x: &'a str) { crate::router::y() }\n";
        assert_eq!(paths("store/sled_store.rs", raw), ["sled::Db", "cosmoguard::router::y"]);
    }

    #[test]
    fn test_modules_in_files_of_their_own_are_known() {
        let raw =
            "#[cfg(test)]\nmod tests;\n#[cfg(test)]\n#[path = \"split_tests.rs\"]\nmod more;\n";
        assert_eq!(
            SourceFile::parse("source/split.rs", raw).1,
            ["source::split::tests", "source::split_tests"]
        );
    }

    #[test]
    fn functions_are_measured_to_their_closing_brace() {
        assert_eq!(
            functions("fn a() {\n x;\n}\nfn b();\n"),
            [("a".to_owned(), 3), ("b".to_owned(), 1)]
        );
    }
}
