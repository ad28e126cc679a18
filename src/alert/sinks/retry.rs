//! When a message that failed is tried again. Exponential, and shifted by the message's own key, so
//! that many messages do not come back at once and a test can foresee each of them.
use xxhash_rust::xxh3::xxh3_64;

/// Wait after the first failure, milliseconds.
const FIRST_MS: i64 = 1_000;
/// Longest wait.
const LONGEST_MS: i64 = 5 * 60_000;
/// Longest wait that a server may ask for.
const ASKED_MAX_MS: i64 = 60 * 60_000;

/// Milliseconds to wait after failure number `tries` (from 1): 1 s, 2 s, 4 s … 5 min, each times
/// 0.75 to 1.25; never less than the server `asked` for.
pub fn wait_ms(key: &str, tries: u32, asked: Option<i64>) -> i64 {
    let doubled = FIRST_MS.saturating_mul(1 << tries.saturating_sub(1).min(20));
    let base = doubled.min(LONGEST_MS);
    let draw = xxh3_64(format!("{key}#{tries}").as_bytes()) % 1001;
    let jittered = base * 3 / 4 + base / 2 * draw as i64 / 1000;
    jittered.max(asked.unwrap_or(0).clamp(0, ASKED_MAX_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_stay_bounded_and_differ_by_key() {
        for tries in 1..40 {
            let base = (1000_i64 << (tries - 1).min(20)).min(300_000);
            let wait = wait_ms("a", tries, None);
            assert!((base * 3 / 4..=base * 5 / 4).contains(&wait), "{tries}: {wait}");
            assert_eq!(wait, wait_ms("a", tries, None));
        }
        assert_ne!(wait_ms("a", 5, None), wait_ms("b", 5, None));
        assert_eq!(wait_ms("a", 1, Some(90_000)), 90_000);
        assert_eq!(wait_ms("a", 1, Some(i64::MAX)), ASKED_MAX_MS);
        assert!(wait_ms("a", 0, Some(-5)) > 0);
    }
}
