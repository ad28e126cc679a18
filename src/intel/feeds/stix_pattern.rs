//! The part of the STIX patterning language that an address alone can answer: observations and
//! comparisons joined by `OR`, comparing `ipv4-addr:value` or `ipv6-addr:value` by `=`, `IN` or
//! `ISSUBSET`.
use ipnet::IpNet;

use super::collect::parse_network;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    OpenSet,
    CloseSet,
    Comma,
    Equals,
    Literal(String),
    Word(String),
}

/// Longest pattern that is looked at, tokens: a choice of a few thousand addresses.
const TOKENS_MAX: usize = 65_536;

/// The networks of a pattern; `None` if it asks for anything that an address cannot answer, or
/// does not parse. A choice that also names domains or hashes gives its addresses.
pub(crate) fn networks(pattern: &str) -> Option<Vec<IpNet>> {
    let tokens = tokens(pattern)?;
    let mut parser = Parser { tokens: tokens.as_slice(), networks: Vec::new() };
    loop {
        parser.observation()?;
        match parser.next() {
            None => break,
            Some(Token::Word(word)) if word == "OR" => {}
            Some(_) => return None,
        }
    }
    Some(parser.networks).filter(|networks| !networks.is_empty())
}

struct Parser<'a> {
    tokens: &'a [Token],
    networks: Vec<IpNet>,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// `[ comparison OR comparison … ]`
    fn observation(&mut self) -> Option<()> {
        if self.next()? != &Token::Open {
            return None;
        }
        loop {
            self.comparison()?;
            match self.next()? {
                Token::Close => return Some(()),
                Token::Word(word) if word == "OR" => {}
                _ => return None,
            }
        }
    }

    /// `path operator literal` or `path IN (literal, …)`
    fn comparison(&mut self) -> Option<()> {
        let Token::Word(path) = self.next()? else { return None };
        let address = path == "ipv4-addr:value" || path == "ipv6-addr:value";
        match self.next()? {
            Token::Equals => self.literal(address),
            Token::Word(word) if word == "ISSUBSET" => self.literal(address),
            Token::Word(word) if word == "IN" => self.set(address),
            // Other comparisons of other objects only widen the choice.
            Token::Word(word) if !address && word != "NOT" => self.literal(address),
            _ => None,
        }
    }

    fn literal(&mut self, address: bool) -> Option<()> {
        let Token::Literal(text) = self.next()? else { return None };
        if address {
            self.networks.push(parse_network(text.trim())?);
        }
        Some(())
    }

    fn set(&mut self, address: bool) -> Option<()> {
        if self.next()? != &Token::OpenSet {
            return None;
        }
        loop {
            self.literal(address)?;
            match self.next()? {
                Token::CloseSet => return Some(()),
                Token::Comma => {}
                _ => return None,
            }
        }
    }
}

fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if tokens.len() >= TOKENS_MAX {
            return None;
        }
        tokens.push(match c {
            c if c.is_whitespace() => continue,
            '[' => Token::Open,
            ']' => Token::Close,
            '(' => Token::OpenSet,
            ')' => Token::CloseSet,
            ',' => Token::Comma,
            '=' => Token::Equals,
            '\'' => Token::Literal(literal(&mut chars)?),
            first => {
                let mut word = String::from(first);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !"[](),='".contains(*c))
                {
                    word.push(c);
                }
                Token::Word(word)
            }
        });
    }
    Some(tokens)
}

/// The rest of a quoted literal; `\'` and `\\` are escapes.
fn literal(chars: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut text = String::new();
    loop {
        match chars.next()? {
            '\'' => return Some(text),
            '\\' => text.push(chars.next()?),
            c => text.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Option<Vec<String>> {
        Some(networks(pattern)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn choices_of_addresses_are_read() {
        for (pattern, want) in [
            ("[ipv4-addr:value = '203.0.113.7']", vec!["203.0.113.7/32"]),
            ("[ ipv4-addr:value='203.0.113.7' ]", vec!["203.0.113.7/32"]),
            (
                "[ipv4-addr:value ISSUBSET '198.51.100.0/24' OR ipv6-addr:value = '2001:db8::1']",
                vec!["198.51.100.0/24", "2001:db8::1/128"],
            ),
            (
                "[ipv4-addr:value = '192.0.2.1'] OR [ipv4-addr:value = '192.0.2.2']",
                vec!["192.0.2.1/32", "192.0.2.2/32"],
            ),
            (
                "[ipv4-addr:value IN ('192.0.2.1', '192.0.2.2')]",
                vec!["192.0.2.1/32", "192.0.2.2/32"],
            ),
            (
                "[domain-name:value = 'x.example' OR ipv4-addr:value = '192.0.2.1']",
                vec!["192.0.2.1/32"],
            ),
        ] {
            let want: Vec<String> = want.into_iter().map(str::to_owned).collect();
            assert_eq!(of(pattern), Some(want), "{pattern}");
        }
    }

    #[test]
    fn what_an_address_cannot_answer_is_not_guessed() {
        for pattern in [
            "",
            "[",
            "[ipv4-addr:value = '203.0.113.7'",
            "[ipv4-addr:value = '203.0.113.7",
            "[ipv4-addr:value = 'x']",
            "[ipv4-addr:value != '203.0.113.7']",
            "[ipv4-addr:value NOT = '203.0.113.7']",
            "[ipv4-addr:value = '192.0.2.1' AND domain-name:value = 'x.example']",
            "[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.2']",
            "[ipv4-addr:value = '192.0.2.1'] REPEATS 5 TIMES WITHIN 60 SECONDS",
            "[domain-name:value = 'x.example']",
        ] {
            assert_eq!(of(pattern), None, "{pattern}");
        }
    }
}
