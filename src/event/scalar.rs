//! Lenient scalars. Cosmos DB writes every number and bool as a string, other exporters do not,
//! and "nothing" has four spellings: all are read here, once.
use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A field's value: any JSON scalar, borrowed from the record where it holds no escape.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    /// Absent, null, or a structure where a scalar is meant.
    #[default]
    Missing,
    Text(Cow<'a, str>),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
}

/// A field that must be a number is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotANumber;

impl<'a> Scalar<'a> {
    /// The text, `None` for the spellings of nothing.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Scalar::Text(text) => present(text),
            _ => None,
        }
    }

    /// The value in words, numbers included: for identifiers that an exporter wrote unquoted.
    pub(super) fn words(&self) -> Option<Cow<'_, str>> {
        match self {
            Scalar::Missing => None,
            Scalar::Text(text) => present(text).map(Cow::Borrowed),
            Scalar::Unsigned(n) => Some(n.to_string().into()),
            Scalar::Signed(n) => Some(n.to_string().into()),
            Scalar::Float(n) => Some(n.to_string().into()),
            Scalar::Bool(b) => Some(b.to_string().into()),
        }
    }

    /// Whether it says nothing.
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Scalar::Missing => true,
            Scalar::Text(text) => present(text).is_none(),
            _ => false,
        }
    }

    /// The same, owning its text.
    pub(super) fn into_owned(self) -> Scalar<'static> {
        match self {
            Scalar::Missing => Scalar::Missing,
            Scalar::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
            Scalar::Unsigned(n) => Scalar::Unsigned(n),
            Scalar::Signed(n) => Scalar::Signed(n),
            Scalar::Float(n) => Scalar::Float(n),
            Scalar::Bool(b) => Scalar::Bool(b),
        }
    }

    /// Thousandths, rounded half up, saturating; negative and non-finite values are no amounts.
    pub(super) fn milli(&self) -> Result<Option<u64>, NotANumber> {
        match self {
            Scalar::Missing => Ok(None),
            Scalar::Text(text) => match present(text) {
                None => Ok(None),
                Some(text) => match decimal_milli(text.as_bytes()) {
                    Some(milli) => Ok(Some(milli)),
                    None => amount(text.parse().map_err(|_| NotANumber)?, 1000.0).map(Some),
                },
            },
            Scalar::Unsigned(n) => Ok(Some(n.saturating_mul(1000))),
            Scalar::Float(n) => amount(*n, 1000.0).map(Some),
            Scalar::Signed(_) | Scalar::Bool(_) => Err(NotANumber),
        }
    }

    /// A whole amount (bytes, counts), rounded, saturating; negative is no amount.
    pub(super) fn whole(&self) -> Result<Option<u64>, NotANumber> {
        match self {
            Scalar::Missing => Ok(None),
            Scalar::Text(text) => match present(text) {
                None => Ok(None),
                Some(text) => match digits(text.as_bytes()) {
                    Some(whole) => Ok(Some(whole)),
                    None => amount(text.parse().map_err(|_| NotANumber)?, 1.0).map(Some),
                },
            },
            Scalar::Unsigned(n) => Ok(Some(*n)),
            Scalar::Float(n) => amount(*n, 1.0).map(Some),
            Scalar::Signed(_) | Scalar::Bool(_) => Err(NotANumber),
        }
    }

    /// A signed whole number (status codes, signatures).
    pub(super) fn signed(&self) -> Result<Option<i64>, NotANumber> {
        match self {
            Scalar::Missing => Ok(None),
            Scalar::Text(text) => match present(text) {
                None => Ok(None),
                Some(text) => match text.parse::<i64>() {
                    Ok(n) => Ok(Some(n)),
                    Err(_) => exact(text.parse().map_err(|_| NotANumber)?).map(Some),
                },
            },
            Scalar::Unsigned(n) => i64::try_from(*n).map(Some).map_err(|_| NotANumber),
            Scalar::Signed(n) => Ok(Some(*n)),
            Scalar::Float(n) => exact(*n).map(Some),
            Scalar::Bool(_) => Err(NotANumber),
        }
    }

    /// A status code.
    pub(super) fn status(&self) -> Result<Option<i32>, NotANumber> {
        match self.signed()? {
            None => Ok(None),
            Some(n) => i32::try_from(n).map(Some).map_err(|_| NotANumber),
        }
    }

    /// `true`, `True`, `1` and their opposites; `None` for anything else.
    pub(super) fn bool(&self) -> Option<bool> {
        match self {
            Scalar::Bool(b) => Some(*b),
            Scalar::Unsigned(0) => Some(false),
            Scalar::Unsigned(1) => Some(true),
            Scalar::Text(text) => {
                let text = present(text)?;
                if text.eq_ignore_ascii_case("true") || text == "1" {
                    Some(true)
                } else if text.eq_ignore_ascii_case("false") || text == "0" {
                    Some(false)
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    /// A GUID in any of its spellings; the nil GUID names nothing.
    pub(super) fn guid(&self) -> Option<u128> {
        let text = self.text()?;
        uuid::Uuid::try_parse_ascii(text.as_bytes())
            .ok()
            .map(|id| id.as_u128())
            .filter(|id| *id != 0)
    }
}

/// `text` without surrounding blanks, `None` for `""`, `<empty>` and a quoted nothing.
pub(super) fn present(text: &str) -> Option<&str> {
    let text = text.trim();
    match text {
        "" | "\"\"" => None,
        _ if text.eq_ignore_ascii_case("<empty>") => None,
        _ => Some(text),
    }
}

/// The longest prefix of `text` of at most `bytes_max` bytes that ends at a character.
pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let mut end = bytes_max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// A GUID with or without dashes as dashed lower case; any other text lower-cased as it is.
pub(super) fn normal_id(text: &str) -> String {
    match uuid::Uuid::try_parse(text) {
        Ok(id) => id.hyphenated().to_string(),
        Err(_) => text.to_ascii_lowercase(),
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    let mut n = 0u64;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        n = n * 10 + u64::from(digit);
    }
    Some(n)
}

/// `123.4567` as thousandths without going through floating point; `None` for other forms.
fn decimal_milli(text: &[u8]) -> Option<u64> {
    let dot = text.iter().position(|b| *b == b'.').unwrap_or(text.len());
    let whole = digits(text.get(..dot)?)?;
    let fraction = text.get(dot + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let place = |i: usize| fraction.get(i).map_or(0, |b| u64::from(b - b'0'));
    let milli = place(0) * 100 + place(1) * 10 + place(2) + u64::from(place(3) >= 5);
    Some(whole.saturating_mul(1000).saturating_add(milli))
}

fn amount(value: f64, scale: f64) -> Result<u64, NotANumber> {
    // The cast saturates at u64::MAX, which is what a hostile 1e300 deserves.
    if value.is_finite() && value >= 0.0 {
        Ok((value * scale).round() as u64)
    } else {
        Err(NotANumber)
    }
}

fn exact(value: f64) -> Result<i64, NotANumber> {
    // Beyond 2^53 a float no longer names one integer.
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        Ok(value as i64)
    } else {
        Err(NotANumber)
    }
}

/// Reads any JSON value as a scalar. An object stands for its `value` key (the Activity log's
/// `{"value": …, "localizedValue": …}`); other structures are skipped.
pub(super) struct ScalarSeed;

impl<'de> DeserializeSeed<'de> for ScalarSeed {
    type Value = Scalar<'de>;
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Scalar<'de>, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ScalarSeed {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(n))
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Signed(n))
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(n))
    }
    fn visit_bool<E: Error>(self, b: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(b))
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Missing)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Missing)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut value = Scalar::Missing;
        while let Some(is_value) = map.next_key_seed(IsValueKey)? {
            if is_value {
                value = map.next_value_seed(ScalarSeed)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(value)
    }
}

struct IsValueKey;

impl<'de> DeserializeSeed<'de> for IsValueKey {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<bool, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for IsValueKey {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key.eq_ignore_ascii_case("value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Scalar<'_> {
        let mut input = serde_json::Deserializer::from_str(json);
        ScalarSeed.deserialize(&mut input).expect("valid JSON")
    }

    #[test]
    fn every_spelling_of_nothing_is_nothing() {
        for json in [r#""""#, r#""<empty>""#, r#""\"\"""#, "null", r#"" ""#, "[1,[2]]", "{}"] {
            let scalar = read(json);
            assert!(scalar.is_nothing() && scalar.text().is_none(), "{json}");
            assert_eq!(
                (scalar.whole(), scalar.milli(), scalar.signed()),
                (Ok(None), Ok(None), Ok(None))
            );
        }
    }

    #[test]
    fn numbers_come_as_text_integers_and_floats() {
        for json in
            [r#""201""#, "201", "201.0", r#""201.0""#, r#"{"localizedValue":1,"value":201}"#]
        {
            assert_eq!(read(json).status(), Ok(Some(201)), "{json}");
            assert_eq!(read(json).whole(), Ok(Some(201)), "{json}");
            assert_eq!(read(json).milli(), Ok(Some(201_000)), "{json}");
        }
        assert_eq!(read(r#""7.810000""#).milli(), Ok(Some(7810)));
        assert_eq!(read(r#""9.059999999999999""#).milli(), Ok(Some(9060)));
        assert_eq!(read("9.059999999999999").milli(), Ok(Some(9060)));
        assert_eq!(read(r#""1e3""#).milli(), Ok(Some(1_000_000)));
        assert_eq!(read(r#""-1""#).status(), Ok(Some(-1)));
        assert_eq!(
            read(r#""-8612658657970479756""#).signed(),
            Ok(Some(-8_612_658_657_970_479_756))
        );
        assert_eq!(read(r#""99999999999999999999999""#).whole(), Ok(Some(u64::MAX)));
        for bad in [r#""abc""#, r#""NaN""#, "-5", "true", r#""-1""#, r#""inf""#] {
            assert_eq!(read(bad).whole(), Err(NotANumber), "{bad}");
            assert_eq!(read(bad).milli(), Err(NotANumber), "{bad}");
        }
        assert_eq!(read("4294967296").status(), Err(NotANumber));
        assert_eq!(read("1.5").status(), Err(NotANumber));
    }

    #[test]
    fn bools_are_read_in_any_dress() {
        for (json, expected) in [
            ("true", Some(true)),
            (r#""True""#, Some(true)),
            (r#""false""#, Some(false)),
            (r#""False""#, Some(false)),
            ("1", Some(true)),
            (r#""0""#, Some(false)),
            (r#""maybe""#, None),
            ("null", None),
        ] {
            assert_eq!(read(json).bool(), expected, "{json}");
        }
    }

    #[test]
    fn text_is_cut_at_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("€", 1), "");
    }

    #[test]
    fn ids_with_and_without_dashes_are_one() {
        let dashed = "55555555-5555-5555-5555-5555555555AB";
        assert_eq!(normal_id(dashed), normal_id(&dashed.replace('-', "")));
        assert_eq!(normal_id("Someone@Contoso.com"), "someone@contoso.com");
    }
}
