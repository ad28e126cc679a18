//! Draws from a seed that come out the same on every platform.
//!
//! Every stream of randomness is a ChaCha8 keyed by (seed, purpose, two indices), so what one
//! account does in one hour does not depend on how many others exist or in which order they are
//! asked. Only IEEE basic operations and square roots are used on the way to the bytes: the
//! operating system's `exp` and `ln` differ in the last bit between platforms.
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// What a stream of randomness is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Fleet = 1,
    Account,
    Life,
    Attack,
    Noise,
    Traffic,
    Session,
    Activity,
    Queries,
    QueryText,
}

/// A seeded source of draws.
#[derive(Debug)]
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// The stream for `purpose` and two indices under `seed`.
    pub(crate) fn new(seed: u64, purpose: Purpose, a: u64, b: u64) -> Draw {
        let mut key = [0u8; 32];
        for (slot, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, a, b]) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        Draw(ChaCha8Rng::from_seed(key))
    }
    /// 64 random bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
    /// Uniform in [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }
    /// Uniform in 0..n; 0 when n is 0. The bias of the multiply is below n / 2^32.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }
    /// Uniform milliseconds in 0..n.
    pub(crate) fn below_ms(&mut self, n: i64) -> i64 {
        (self.unit() * n.max(0) as f64) as i64
    }
    /// True with probability p.
    pub(crate) fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }
    /// One of `items`, which must not be empty.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
    /// Standard normal.
    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }
    /// Log-normal with the given median and σ of the logarithm.
    pub(crate) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }
    /// Poisson; above 30 the rounded normal, whose error is far below the noise it models.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal() + 0.5).max(0.0) as u32;
        }
        let floor = exp(-mean);
        let (mut n, mut product) = (0, self.unit());
        while product > floor {
            n += 1;
            product *= self.unit();
        }
        n
    }
    /// Shuffles in place (Fisher–Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
    /// A random UUID (version 4), 128 bits.
    pub(crate) fn uuid(&mut self) -> u128 {
        let raw = (u128::from(self.bits()) << 64) | u128::from(self.bits());
        (raw & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62)
    }
}

/// e^x from basic operations only: 2^k times a Taylor series on |r| ≤ ln 2 / 2. Relative error
/// below 1e-15; saturates outside ±700.
pub(crate) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let k = (x / std::f64::consts::LN_2).round();
    let r = x - k * std::f64::consts::LN_2;
    let mut sum = 1.0;
    for n in (1..=14u32).rev() {
        sum = 1.0 + sum * r / f64::from(n);
    }
    sum * f64::from_bits(((1023 + k as i64) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_library() {
        for i in -600..600 {
            let x = f64::from(i) * 0.173;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13, "{x}");
        }
    }

    #[test]
    fn moments_are_those_of_the_names() {
        let mut d = Draw::new(1, Purpose::Noise, 2, 3);
        for mean in [0.3, 4.0, 29.0, 200.0] {
            let total: u32 = (0..4000).map(|_| d.poisson(mean)).sum();
            let got = f64::from(total) / 4000.0;
            assert!((got - mean).abs() < 5.0 * (mean / 4000.0).sqrt(), "{mean} {got}");
        }
        let id = d.uuid();
        assert_eq!((id >> 76) & 0xf, 4);
        assert_eq!((id >> 62) & 0x3, 2);
    }
}
