//! An account's contribution, its name included, in about a hundred bytes, because the population remembers one of
//! every account that ever logged, asleep or not. Half precision (three digits) is enough for
//! votes in a median; the same contribution always packs to the same bytes, and unpacking and
//! packing again changes nothing.
use half::f16;

use crate::baseline::egress::EgressContribution;
use crate::baseline::location::LocationContribution;
use crate::baseline::prior::Contribution;
use crate::ids::AccountId;
use crate::intel::view::Country;

/// Bits of the first byte: which parts follow.
const EGRESS: u8 = 1;
const LOCATION: u8 = 2;
/// Kinds of novelty that a mask of 32 bits can name.
const NOVELTIES_MAX: usize = 32;

/// A packed contribution: whose, and the day that ended with it. One allocation, so that an account
/// costs a pointer more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    /// Packs. Values beyond half precision's range (65,504) are cut to it, except sizes and
    /// exposures, which are kept in single precision.
    pub fn new(day: i64, account: &AccountId, contribution: &Contribution) -> Packed {
        let Contribution { egress, location } = contribution;
        let name = account.key();
        let mut to = Vec::with_capacity(128);
        to.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        to.extend(name.bytes().take(u16::MAX.into()));
        to.extend(day.to_le_bytes());
        to.push(u8::from(egress.is_some()) * EGRESS + u8::from(location.is_some()) * LOCATION);
        if let Some(egress) = egress {
            put_egress(&mut to, egress);
        }
        if let Some(location) = location {
            put_location(&mut to, location);
        }
        Packed(to.into_boxed_slice())
    }

    /// The account's key, as bytes that sort.
    pub fn key(&self) -> &[u8] {
        Reader(&self.0).name()
    }

    /// The account.
    pub fn account(&self) -> AccountId {
        AccountId::parse(&String::from_utf8_lossy(self.key()))
    }

    /// The day.
    pub fn day(&self) -> i64 {
        let mut from = Reader(&self.0);
        from.name();
        from.day()
    }

    /// What was packed, to three digits.
    pub fn contribution(&self) -> Contribution {
        let mut from = Reader(&self.0);
        from.name();
        from.day();
        let [parts] = from.take();
        Contribution {
            egress: (parts & EGRESS != 0).then(|| egress(&mut from)),
            location: (parts & LOCATION != 0).then(|| location(&mut from)),
        }
    }
}

fn put_half(to: &mut Vec<u8>, value: f64) {
    let most = f64::from(f16::MAX);
    to.extend(f16::from_f64(value.clamp(-most, most)).to_le_bytes());
}

fn put_egress(to: &mut Vec<u8>, c: &EgressContribution) {
    to.push(c.class);
    to.extend(u16::try_from(c.days).unwrap_or(u16::MAX).to_le_bytes());
    for value in c.centre.iter().chain(&c.spread).chain(c.dispersion.iter().flatten()) {
        put_half(to, f64::from(*value));
    }
    to.extend(c.size.to_le_bytes());
}

fn egress(from: &mut Reader<'_>) -> EgressContribution {
    let mut c = EgressContribution::default();
    [c.class] = from.take();
    c.days = u32::from(u16::from_le_bytes(from.take()));
    for value in c.centre.iter_mut().chain(&mut c.spread).chain(c.dispersion.iter_mut().flatten()) {
        *value = from.half() as f32;
    }
    c.size = f32::from_le_bytes(from.take());
    c
}

/// Most kinds of novelty never happened: a mask says which did.
fn put_location(to: &mut Vec<u8>, c: &LocationContribution) {
    to.extend((c.exposure_days as f32).to_le_bytes());
    let novelties = &c.novelty_days[..c.novelty_days.len().min(NOVELTIES_MAX)];
    let met = |(i, _): &(usize, &f64)| 1_u32 << i;
    let mask = novelties.iter().enumerate().filter(|(_, days)| **days != 0.0).map(|n| met(&n));
    to.push(novelties.len() as u8);
    to.extend(mask.fold(0, |all, bit| all | bit).to_le_bytes());
    for days in novelties.iter().filter(|days| **days != 0.0) {
        put_half(to, *days);
    }
    for (country, share) in &c.country_shares {
        to.extend(country.0);
        put_half(to, *share);
    }
}

fn location(from: &mut Reader<'_>) -> LocationContribution {
    let exposure_days = f64::from(f32::from_le_bytes(from.take()));
    let [novelties] = from.take();
    let mask = u32::from_le_bytes(from.take());
    let days = |i: u8| if mask >> i & 1 == 1 { from.half() } else { 0.0 };
    let novelty_days = (0..novelties).map(days).collect();
    let mut country_shares = Vec::new();
    while !from.0.is_empty() {
        country_shares.push((Country(from.take()), from.half()));
    }
    LocationContribution { exposure_days, novelty_days, country_shares }
}

/// Reads what was packed here; never from outside, so what is missing is simply 0.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn name(&mut self) -> &'a [u8] {
        let length = usize::from(u16::from_le_bytes(self.take()));
        let (name, rest) = self.0.split_at_checked(length).unwrap_or((self.0, &[]));
        self.0 = rest;
        name
    }
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((taken, rest)) = self.0.split_first_chunk::<N>() else {
            self.0 = &[];
            return [0; N];
        };
        self.0 = rest;
        *taken
    }
    fn half(&mut self) -> f64 {
        f16::from_le_bytes(self.take()).to_f64()
    }
    fn day(&mut self) -> i64 {
        i64::from_le_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Cloud;

    fn sample() -> Contribution {
        let mut novelty_days = vec![0.0; 31];
        (novelty_days[0], novelty_days[30]) = (2.25, 0.333);
        Contribution {
            egress: Some(EgressContribution {
                class: 2,
                days: 32,
                centre: [1.5; 7],
                spread: [0.1; 7],
                dispersion: [[1e9, 0.2, 0.3]; 2],
                size: 123_456.7,
            }),
            location: Some(LocationContribution {
                exposure_days: 29.7,
                novelty_days,
                country_shares: vec![(Country(*b"DE"), 0.29), (Country(*b"NL"), 0.71)],
            }),
        }
    }

    #[test]
    fn three_digits_come_back_in_a_hundred_bytes() {
        let account = AccountId::new("contoso-orders-012345", Cloud::UsGov);
        let (packed, whole) = (Packed::new(20_000, &account, &sample()), sample());
        assert_eq!((packed.account(), packed.day()), (account, 20_000));
        assert!(packed.0.len() <= 120, "{} bytes", packed.0.len());
        let back = packed.contribution();
        let (egress, location) = (back.egress.unwrap(), back.location.unwrap());
        assert_eq!((egress.class, egress.days, egress.size), (2, 32, 123_456.7));
        assert!((egress.spread[6] - 0.1).abs() < 1e-4);
        assert_eq!(egress.dispersion[1][0], 65_504.0);
        assert!((location.exposure_days - 29.7).abs() < 1e-5);
        assert_eq!(location.novelty_days.len(), 31);
        assert!((location.novelty_days[30] - 0.333).abs() < 1e-3);
        assert_eq!(location.novelty_days[1], 0.0);
        let shares = whole.location.unwrap().country_shares;
        for ((country, share), (want, of)) in location.country_shares.iter().zip(&shares) {
            assert!(country == want && (share - of).abs() < 1e-3);
        }
    }

    #[test]
    fn packing_again_changes_nothing() {
        let whole = sample();
        let parts = [
            whole.clone(),
            Contribution { egress: None, ..whole.clone() },
            Contribution { location: None, ..whole },
            Contribution::default(),
        ];
        for contribution in parts {
            let account = AccountId::new("a", Cloud::Public);
            let packed = Packed::new(-3, &account, &contribution);
            let back = packed.contribution();
            assert_eq!(back.egress.is_some(), contribution.egress.is_some());
            assert_eq!(Packed::new(packed.day(), &account, &back), packed);
        }
    }
}
