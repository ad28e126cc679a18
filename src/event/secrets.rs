//! Keys and tokens in text that callers write themselves: told by the words before them and by how
//! they look.
use std::borrow::Cow;

/// Words that stand before a secret.
const SECRET_WORDS: &[&str] = &[
    "sig=",
    "accountkey",
    "sharedaccess",
    "bearer ",
    "token=",
    "password",
    "pwd=",
    "secret",
    "type=master",
    "eyj",
];
/// A run of letters and digits this long, in both cases and with digits, is a key or a token.
const SECRET_RUN_MIN: usize = 32;
/// What stands in the place of a secret.
pub(super) const REDACTED: &str = "[redacted]";
/// Where a part of a text that may be a secret ends.
const ENDS: &[char] = &[' ', '\t', ';', ',', '&', '?', '|', '(', ')', '"', '\'', '<', '>'];
/// Longest name before a slash that stays.
const NAME_MAX: usize = 24;

/// Text that a caller may have put a key or a token into.
pub(super) fn is_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if SECRET_WORDS.iter().any(|word| lower.contains(word)) {
        return true;
    }
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '=' && c != '+').any(|run| {
        let has = |what: fn(&u8) -> bool| run.as_bytes().iter().any(what);
        let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
        (run.len() >= SECRET_RUN_MIN && mixed && has(u8::is_ascii_digit))
            || (run.len() >= SECRET_RUN_MIN / 2 && run.ends_with("=="))
    })
}

/// `text` with what looks like a secret in it replaced, and the rest as it was.
pub(super) fn without_secrets(text: &str) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let (mut at, mut announced) = (0, false);
    for part in text.split_inclusive(ENDS) {
        let word = part.trim_end_matches(ENDS);
        let hidden = !word.is_empty() && (announced || holds_secret(word));
        announced = (word.is_empty() && announced) || announces(word);
        if hidden {
            let out = out.get_or_insert_with(|| text[..at].to_owned());
            out.push_str(name_before(word));
            out.push_str(REDACTED);
            out.push_str(&part[word.len()..]);
        } else if let Some(out) = &mut out {
            out.push_str(part);
        }
        at += part.len();
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// One word is a secret or ends in one. A product that is called after secrets is none: there has to
/// be a value.
fn holds_secret(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let value = word.find(['=', ':']).is_some_and(|at| at + 1 < word.len());
    let named = value && SECRET_WORDS.iter().any(|secret| lower.contains(secret));
    let blank = SECRET_WORDS.iter().all(|secret| !lower.contains(secret));
    named
        || (word.contains("eyJ") && word.len() >= SECRET_RUN_MIN / 2)
        || (blank && is_secret(word))
}

/// What follows is a secret: `Bearer …`, `password: …`.
fn announces(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let name = lower.trim_end_matches(['=', ':']);
    let open = name.len() < lower.len();
    name.ends_with("bearer")
        || (open && SECRET_WORDS.iter().any(|secret| name.ends_with(secret.trim_end_matches('='))))
}

/// `app/` of `app/<key>`; nothing where that may be the beginning of the key.
fn name_before(word: &str) -> &str {
    let Some(slash) = word.find('/') else { return "" };
    let name = &word[..slash];
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'-' | b'.' | b'_'));
    if plain && name.len() <= NAME_MAX { &word[..=slash] } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let key = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";
        for (text, expected) in [
            ("app/1.0 sig=abc123 (Linux)".to_owned(), "app/1.0 [redacted] (Linux)"),
            (format!("app/{key} Python/3.12"), "app/[redacted] Python/3.12"),
            (
                format!("AccountEndpoint=https://x/;AccountKey={key};"),
                "AccountEndpoint=https://x/;[redacted];",
            ),
            (
                "curl https://x/y?sv=1&sig=Q%2Fb&se=2".to_owned(),
                "curl https://x/y?sv=1&[redacted]&se=2",
            ),
            ("tool Bearer abc.def".to_owned(), "tool Bearer [redacted]"),
            ("tool (password: hunter2)".to_owned(), "tool (password: [redacted])"),
            ("x eyJhbGciOiJIUzI1NiJ9.e30.abc y".to_owned(), "x [redacted] y"),
            (format!("{key} app"), "[redacted] app"),
        ] {
            assert_eq!(without_secrets(&text), expected, "{text}");
        }
    }

    #[test]
    fn everyday_agents_are_left_alone() {
        for agent in [
            "cosmos-netstandard-sdk/3.49.0|2|X64|Ubuntu 22.04.5 LTS|.NET 8.0.11|L|F 00000010|",
            "azsdk-java-cosmos/4.40.0 Windows11/10.0 JRE/1.8.0_351",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/114.0.0.0",
            "SecretManager/2.1 token-refresh 7a2c9d40-31b5-4a5e-9a55-0a6f1c3f8c11",
            "",
        ] {
            assert!(
                matches!(without_secrets(agent), Cow::Borrowed(same) if same == agent),
                "{agent}"
            );
        }
    }
}
