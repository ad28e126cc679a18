//! How much one client may ask: a bucket of tokens each, in a table that does not grow for ever.
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Clients that are remembered; the one that was silent longest is forgotten first.
const CLIENTS_MAX: usize = 4096;

struct Bucket {
    tokens: f64,
    at_ms: u64,
}

/// Buckets by client.
pub struct Rates {
    per_second: f64,
    burst: f64,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

impl Rates {
    /// So many requests a second, and so many at once.
    pub fn new(per_second: f64, burst: f64) -> Rates {
        Rates { per_second, burst: burst.max(1.0), buckets: Mutex::default() }
    }

    /// Takes one token of `client` at `now_ms`, or says after how many whole seconds there is one.
    pub fn take(&self, client: &str, now_ms: u64) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CLIENTS_MAX && !buckets.contains_key(client) {
            let oldest = buckets.iter().min_by_key(|(_, b)| b.at_ms).map(|(name, _)| name.clone());
            oldest.map(|name| buckets.remove(&name));
        }
        let fresh = Bucket { tokens: self.burst, at_ms: now_ms };
        let bucket = buckets.entry(client.to_owned()).or_insert(fresh);
        let passed = now_ms.saturating_sub(bucket.at_ms) as f64 / 1000.0;
        bucket.tokens = (bucket.tokens + passed * self.per_second).min(self.burst);
        bucket.at_ms = now_ms;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(((1.0 - bucket.tokens) / self.per_second).ceil().clamp(1.0, 3600.0) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_rate_each_client_for_itself() {
        let rates = Rates::new(2.0, 3.0);
        for _ in 0..3 {
            assert_eq!(rates.take("a", 0), Ok(()));
        }
        assert_eq!(rates.take("a", 0), Err(1));
        assert_eq!(rates.take("b", 0), Ok(()));
        assert_eq!(rates.take("a", 500), Ok(()));
        assert_eq!(rates.take("a", 500), Err(1));
        assert_eq!(rates.take("a", 0), Err(1), "a clock that goes back gives nothing");
    }

    #[test]
    fn the_table_is_bounded_and_forgets_who_was_silent_longest() {
        let rates = Rates::new(1.0, 1.0);
        for n in 0..CLIENTS_MAX as u64 + 10 {
            assert_eq!(rates.take(&n.to_string(), n), Ok(()));
        }
        assert_eq!(rates.buckets.lock().unwrap().len(), CLIENTS_MAX);
        let newest = (CLIENTS_MAX as u64 + 9).to_string();
        assert!(rates.take(&newest, CLIENTS_MAX as u64 + 9).is_err());
    }
}
