//! Query text as the service logs it without full-text query: names and strings replaced, with
//! their lengths; keywords, numbers, functions and structure left as they are.
use std::collections::BTreeMap;

/// Replaces names after a dot, object keys and strings.
pub(crate) fn obfuscate(text: &str) -> String {
    let mut seen = Seen::default();
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            // It prints the tree, and a comment is not in that.
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => string(rest, first, &mut seen, &mut out),
            '.' => {
                out.push('.');
                let name = word(&rest[1..]);
                if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
                    out.push_str(name);
                } else {
                    out.push_str(&seen.name(name));
                }
                1 + name.len()
            }
            c if c.is_ascii_alphanumeric() || c == '_' || c == '@' => {
                let name = word(&rest[1..]);
                out.push_str(&rest[..1 + name.len()]);
                1 + name.len()
            }
            c => {
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out
}

#[derive(Default)]
struct Seen<'a> {
    names: BTreeMap<&'a str, usize>,
    strings: BTreeMap<&'a str, usize>,
}

impl<'a> Seen<'a> {
    fn name(&mut self, name: &'a str) -> String {
        let next = self.names.len() + 1;
        let n = *self.names.entry(name).or_insert(next);
        format!("p{n}__{}", name.len())
    }
    fn string(&mut self, value: &'a str) -> String {
        let next = self.strings.len() + 1;
        let n = *self.strings.entry(value).or_insert(next);
        format!("str{n}__{}", value.chars().count())
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Where a literal ends; a backslash takes the next character with it.
fn end(text: &str, quote: char) -> Option<usize> {
    let mut taken = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == quote && !taken;
        taken = c == '\\' && !taken;
        ends.then_some(at)
    })
}

/// One string; `item` of the gateway's own objects stays. Returns its length with quotes.
fn string<'a>(rest: &'a str, quote: char, seen: &mut Seen<'a>, out: &mut String) -> usize {
    let Some(inside) = end(&rest[1..], quote) else {
        out.push_str(rest);
        return rest.len();
    };
    let value = &rest[1..1 + inside];
    let key = rest[inside + 2..].trim_start().starts_with(':');
    out.push('"');
    out.push_str(&match (key, value) {
        (true, "item") => "item".to_owned(),
        (true, name) => seen.name(name),
        (false, value) => seen.string(value),
    });
    out.push('"');
    inside + 2
}

#[cfg(test)]
mod tests {
    use super::obfuscate;

    #[test]
    fn names_and_strings_go_numbers_and_structure_stay() {
        assert_eq!(
            obfuscate(
                "SELECT * FROM c WHERE (c.status != true) AND c.n > 5.5 AND c.a='b' AND c.status=\"b\""
            ),
            "SELECT * FROM c WHERE (c.p1__6 != true) AND c.p2__1 > 5.5 AND c.p3__1=\"str1__1\" AND c.p1__6=\"str1__1\""
        );
        assert_eq!(
            obfuscate(
                "SELECT c._rid, [{\"item\": c.ts}] AS orderByItems, {\"id\": c.id} AS payload FROM c"
            ),
            "SELECT c.p1__4, [{\"item\": c.p2__2}] AS orderByItems, {\"p3__2\": c.p3__2} AS payload FROM c"
        );
        assert_eq!(obfuscate("c.x = 'open"), "c.p1__1 = 'open");
        assert_eq!(
            obfuscate("c.x = 'a\\'b' OR 1=1 --' c.y\nORDER BY c.x"),
            "c.p1__1 = \"str1__4\" OR 1=1 \nORDER BY c.p1__1"
        );
    }
}
