//! Numbers, times and names as people read them. No sentence is built here.
use crate::time::Timestamp;

/// Longest name taken from a log that is shown, characters.
pub const NAME_CHARS_MAX: usize = 120;

/// Days in a year, for words.
const YEAR_DAYS: f64 = 365.25;
/// Rarest that is put in a number: no tail is known further out.
const RAREST_DAYS: f64 = 10_000.0 * YEAR_DAYS;

/// A name from a log, fit to be shown anywhere: cut, and [`visible`].
pub fn clean(text: &str) -> String {
    let mut out: String = text.chars().take(NAME_CHARS_MAX).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    visible(&out)
}

/// Everything that a terminal or a reader would obey instead of see (control, direction and
/// invisible characters) written as an escape.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || obeyed_not_seen(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Format characters: directions, joiners, zero widths, separators, tags, byte-order mark.
fn obeyed_not_seen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// `value` with `digits` significant digits, without an exponent and without trailing zeros behind
/// the point.
fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "unknown".to_owned() };
    }
    let scientific = format!("{:.*e}", digits.saturating_sub(1), value);
    let exponent: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    // Rounding up may leave the largest numbers' range.
    let rounded: f64 = scientific.parse().ok().filter(|r: &f64| r.is_finite()).unwrap_or(value);
    let places = (digits as i32 - 1 - exponent).max(0) as usize;
    let text = format!("{rounded:.places$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// `1234567` → `1,234,567`.
fn grouped(digits: &str) -> String {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut out = String::new();
    for (at, c) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(c);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A number for programs: three significant digits, an exponent where it is small or large,
/// `unknown` for what is no number.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    let size = value.abs();
    if size != 0.0 && !(1e-4..1e6).contains(&size) {
        let text = format!("{value:.2e}");
        return match text.split_once('e') {
            Some((mantissa, exponent)) if mantissa.contains('.') => {
                format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
            }
            _ => text,
        };
    }
    significant(value, 3)
}

/// A count for people: `1,204`, `0.3`.
pub fn count(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    if value.abs() >= 1e15 {
        number(value)
    } else if value.abs() >= 10.0 || value.fract() == 0.0 {
        grouped(&format!("{value:.0}"))
    } else {
        significant(value, 2)
    }
}

const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/// Decimal unit in which `bytes` is written: its power of 1000.
fn unit(bytes: f64) -> usize {
    let mut power = 0;
    let mut rest = bytes.abs();
    while rest >= 999.5 && power + 1 < UNITS.len() {
        rest /= 1000.0;
        power += 1;
    }
    power
}

fn in_unit(bytes: f64, power: usize) -> String {
    let value = bytes / 1000f64.powi(power as i32);
    let digits = if value.abs() < 100.0 && power > 0 {
        significant(value, 3)
    } else {
        format!("{value:.0}")
    };
    // Two digits are enough once there are two: 21 MB, not 21.3 MB.
    if power > 0 && (10.0..100.0).contains(&value.abs()) { format!("{value:.0}") } else { digits }
}

/// Bytes for people: `1.84 GB`, `412 MB`, `21 MB`.
pub fn bytes(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    if value.abs() >= 1e21 {
        return format!("{} B", number(value));
    }
    let power = unit(value);
    format!("{} {}", in_unit(value, power), UNITS[power])
}

/// A range of bytes, the unit once if both ends share it: `21 to 96 MB`.
pub fn byte_range(low: f64, high: f64) -> String {
    if !low.is_finite() || !high.is_finite() {
        return "unknown".to_owned();
    }
    let power = unit(high);
    if low == 0.0 || unit(low) == power {
        format!("{} to {} {}", in_unit(low, power), in_unit(high, power), UNITS[power])
    } else {
        format!("{} to {}", bytes(low), bytes(high))
    }
}

/// Days for people, one or two significant digits: `212 days`, `a day`.
pub fn days(value: f64) -> String {
    if !value.is_finite() {
        return "an unknown number of days".to_owned();
    }
    let value = value.max(0.0);
    if value < 1.0 {
        "less than a day".to_owned()
    } else if value < 1.5 {
        "a day".to_owned()
    } else {
        format!("{} days", grouped(&format!("{value:.0}")))
    }
}

/// Hours as a window: `hour`, `6 hours`, `24 hours`, `7 days`.
pub fn window(hours: f64) -> String {
    if !hours.is_finite() || hours <= 0.0 {
        return "window".to_owned();
    }
    if (hours - 1.0).abs() < 0.05 {
        "hour".to_owned()
    } else if hours < 1.0 {
        format!("{:.0} minutes", hours * 60.0)
    } else if hours > 47.0 && (hours % 24.0) == 0.0 {
        format!("{:.0} days", hours / 24.0)
    } else {
        format!("{} hours", significant(hours, 2))
    }
}

/// A frequency from p·r: `once in 410 days`, `once in 27 years`, `3 times a day`.
pub fn once_in(per_day: f64) -> String {
    if per_day.is_nan() {
        return "at an unknown rate".to_owned();
    }
    let interval = if per_day > 0.0 { 1.0 / per_day } else { f64::INFINITY };
    if interval > RAREST_DAYS {
        "less than once in 10,000 years".to_owned()
    } else if interval >= 3000.0 {
        format!("once in {} years", grouped(&significant(interval / YEAR_DAYS, 2)))
    } else if interval >= 1.5 {
        format!("once in {} days", whole_days(interval))
    } else if interval >= 2.0 / 3.0 {
        "once a day".to_owned()
    } else {
        format!("{} times a day", count(per_day))
    }
}

/// Two significant digits, and never a part of a day.
fn whole_days(interval: f64) -> String {
    grouped(&significant(interval.round().max(2.0), 2))
}

/// As [`once_in`], with "about" in front where it is an estimate.
pub fn about_once_in(per_day: f64) -> String {
    let text = once_in(per_day);
    let estimate = text.starts_with("once") || text.contains("times");
    if estimate { format!("about {text}") } else { text }
}

/// A share in percent: `71 %`, `0.4 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if !(0.0..1e6).contains(&value) {
        return "unknown".to_owned();
    }
    if value >= 10.0 || value == 0.0 {
        format!("{value:.0} %")
    } else {
        format!("{} %", significant(value, 1))
    }
}

/// Known values with their shares: `NL 71 %, DE 24 %`.
pub fn shares(values: &[(String, f64)]) -> String {
    let parts: Vec<String> =
        values.iter().take(5).map(|(n, s)| format!("{} {}", clean(n), percent(*s))).collect();
    parts.join(", ")
}

/// `2026-11-13 02:14 UTC`.
pub fn moment(at: Timestamp) -> String {
    format!("{} UTC", at.minutes_text())
}

/// Weekday of `at` in UTC.
pub fn weekday(at: Timestamp) -> &'static str {
    const NAMES: [&str; 7] =
        ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    NAMES.get(at.weekday()).copied().unwrap_or("day")
}

/// `3 requests`, `1 request`.
pub fn plural(n: f64, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1.0 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`.
pub fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_seen_and_not_obeyed() {
        assert_eq!(clean("abc\u{202e}cba"), "abc\\u{202e}cba");
        assert_eq!(clean("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(
            clean("a\nb\0\u{200b}\u{feff}\u{9b}x"),
            "a\\u{a}b\\u{0}\\u{200b}\\u{feff}\\u{9b}x"
        );
        let long = clean(&"é".repeat(10_000));
        assert_eq!(long.chars().count(), NAME_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
        assert_eq!(clean("naïve 北京 \"x\" | a=b"), "naïve 北京 \"x\" | a=b");
    }

    proptest::proptest! {
        #[test]
        fn no_number_is_unreadable(bits in proptest::num::u64::ANY) {
            let value = f64::from_bits(bits);
            let texts = [bytes(value), number(value), count(value), once_in(value), percent(value),
                window(value), days(value), byte_range(value, 1e6), byte_range(0.0, value)];
            for text in texts {
                proptest::prop_assert!(!text.contains("NaN") && !text.contains("inf"), "{}", text);
            }
        }

        #[test]
        fn cleaned_names_hold_nothing_to_obey(text in "\\PC*|\\p{Cf}*|\\p{Cc}*|.*") {
            let seen = clean(&text);
            proptest::prop_assert!(!seen.chars().any(|c| c.is_control() || obeyed_not_seen(c)));
            proptest::prop_assert_eq!(visible(&seen), seen.clone());
        }
    }

    #[test]
    fn bytes_read_as_people_write_them() {
        for (value, text) in [
            (0.0, "0 B"),
            (812.0, "812 B"),
            (1.84e9, "1.84 GB"),
            (412.4e6, "412 MB"),
            (21.3e6, "21 MB"),
            (999.6e6, "1 GB"),
            (1e15, "1 PB"),
            (9.999e3, "10 kB"),
            (f64::NAN, "unknown"),
        ] {
            assert_eq!(bytes(value), text);
        }
        assert_eq!(byte_range(21.2e6, 96e6), "21 to 96 MB");
        assert_eq!(byte_range(900e3, 1.2e6), "900 kB to 1.2 MB");
        assert_eq!(byte_range(0.0, 5e6), "0 to 5 MB");
        assert_eq!(byte_range(f64::INFINITY, 5e6), "unknown");
    }

    #[test]
    fn rarity_is_said_in_days_then_years() {
        for (per_day, text) in [
            (1.0 / 412.0, "once in 410 days"),
            (1.0 / 2640.0, "once in 2,600 days"),
            (1.0 / 10_000.0, "once in 27 years"),
            (0.0, "less than once in 10,000 years"),
            (1.0, "once a day"),
            (0.4, "once in 3 days"),
            (3.0, "3 times a day"),
            (f64::NAN, "at an unknown rate"),
        ] {
            assert_eq!(once_in(per_day), text);
        }
        assert_eq!(about_once_in(0.0), "less than once in 10,000 years");
    }

    #[test]
    fn numbers_have_three_significant_digits() {
        for (value, text) in [
            (2.4314e-6, "2.43e-6"),
            (0.00243, "0.00243"),
            (1.0, "1"),
            (0.0, "0"),
            (211.96, "212"),
            (1e-6, "1e-6"),
            (f64::INFINITY, "unknown"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(count(1204.0), "1,204");
        assert_eq!(count(-1204.0), "-1,204");
        assert_eq!(count(0.31), "0.31");
        assert_eq!(percent(0.004), "0.4 %");
        assert_eq!(window(24.0), "24 hours");
        assert_eq!(window(168.0), "7 days");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
