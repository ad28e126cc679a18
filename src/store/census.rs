//! What a store should hold: counts, bytes and an order-free digest of every entry, kept up to date
//! with each batch and written in it, so that it tells the truth at every instant.
//!
//! sled 0.34 may open a damaged log without a word and with entries missing, or with an old value
//! where a newer one was. Each entry adds a 128-bit hash of its key and of its value's length and
//! checksum to a sum; a batch subtracts what it replaces. Whatever mix of entries a store opens with,
//! it is compared with one number. An entry is entered by its *own* checksum (of the envelope, where
//! it has one), so that damage inside a value leaves the sum right and is found by that checksum: it
//! is known then that nothing else is wrong. Memory: these few words, however many accounts.
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use super::envelope::{self, EnvelopeError};
use super::{codec, keys};

/// Longest sealed census, bytes; it is of fixed shape.
const CENSUS_BYTES_MAX: usize = 1024;

/// Entries that stand and fall together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Account checkpoints, staged ones included: each can be restored by itself.
    Accounts,
    /// Alert lines: lost ones are missed by `explain` and by nothing else.
    Alerts,
    /// Display rings: lost ones are missed by `why-not` and by nothing else.
    Display,
    /// Records of alerts: lost ones are missed by `evidence` and by nothing else.
    Evidence,
    /// Everything else: desk, tenant, fleet, priors, positions. Useless without each other.
    Run,
}

impl Group {
    /// The group of a key.
    pub fn of(key: &[u8]) -> Group {
        let begins = |prefix: &[u8]| key.starts_with(prefix);
        if begins(keys::ACCOUNT) || begins(keys::STAGED) {
            Group::Accounts
        } else if begins(keys::ALERT) {
            Group::Alerts
        } else if begins(keys::RING) {
            Group::Display
        } else if begins(keys::EVIDENCE) {
            Group::Evidence
        } else {
            Group::Run
        }
    }
}

/// Count, bytes and digest of some entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Entries.
    pub entries: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Sum of the entries' hashes, wrapping.
    digest: u128,
}

impl Tally {
    /// Of one entry.
    pub fn of(key: &[u8], value: &[u8]) -> Tally {
        let mut identity = Vec::with_capacity(key.len() + 32);
        identity.extend_from_slice(&(key.len() as u64).to_le_bytes());
        identity.extend_from_slice(key);
        identity.extend_from_slice(&(value.len() as u64).to_le_bytes());
        match envelope::header(value) {
            Some(header) => identity.extend_from_slice(header),
            None => identity.extend_from_slice(&crc32c::crc32c(value).to_le_bytes()),
        }
        Tally { entries: 1, bytes: (key.len() + value.len()) as u64, digest: xxh3_128(&identity) }
    }
    fn add(&mut self, entry: &Tally) {
        self.entries = self.entries.wrapping_add(entry.entries);
        self.bytes = self.bytes.wrapping_add(entry.bytes);
        self.digest = self.digest.wrapping_add(entry.digest);
    }
    fn subtract(&mut self, entry: &Tally) {
        self.entries = self.entries.wrapping_sub(entry.entries);
        self.bytes = self.bytes.wrapping_sub(entry.bytes);
        self.digest = self.digest.wrapping_sub(entry.digest);
    }
}

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Batches written since the store was made: its age.
    pub writes: u64,
    groups: [Tally; 5],
}

/// Persisted form, version 1.
#[derive(Debug, Serialize, Deserialize)]
pub struct CensusV1 {
    writes: u64,
    accounts: Tally,
    alerts: Tally,
    display: Tally,
    evidence: Tally,
    run: Tally,
}

impl Census {
    /// The tally of a group.
    pub fn group(&self, group: Group) -> &Tally {
        &self.groups[group as usize]
    }
    /// Entries of all groups.
    pub fn entries(&self) -> u64 {
        self.groups.iter().map(|tally| tally.entries).sum()
    }
    /// Bytes of keys and values: what the store would take on an ideal disk.
    pub fn bytes(&self) -> u64 {
        self.groups.iter().map(|tally| tally.bytes).sum()
    }
    /// Enters an entry.
    pub fn add(&mut self, key: &[u8], value: &[u8]) {
        self.enter(key, &Tally::of(key, value));
    }
    /// Enters the entry of `key`.
    pub fn enter(&mut self, key: &[u8], entry: &Tally) {
        self.groups[Group::of(key) as usize].add(entry);
    }
    /// Strikes the entry of `key` out.
    pub fn strike(&mut self, key: &[u8], entry: &Tally) {
        self.groups[Group::of(key) as usize].subtract(entry);
    }
    /// The same entries, whatever the number of batches that wrote them.
    pub fn same_entries(&self, other: &Census) -> bool {
        self.groups == other.groups
    }
    /// Adds what `other` counted elsewhere.
    pub fn merge(&mut self, other: &Census) {
        for (tally, more) in self.groups.iter_mut().zip(&other.groups) {
            tally.add(more);
        }
    }
    /// As it is stored.
    ///
    /// # Errors
    /// None that can happen: its size is fixed and within the bound.
    pub fn seal(&self) -> Result<Vec<u8>, EnvelopeError> {
        let [accounts, alerts, display, evidence, run] = self.groups;
        let stored = CensusV1 { writes: self.writes, accounts, alerts, display, evidence, run };
        codec::encode(&stored, CENSUS_BYTES_MAX)
    }
    /// Reads it back.
    ///
    /// # Errors
    /// Damage of any kind.
    pub fn open(sealed: &[u8]) -> Result<Census, EnvelopeError> {
        let CensusV1 { writes, accounts, alerts, display, evidence, run } =
            codec::decode(sealed, CENSUS_BYTES_MAX)?;
        Ok(Census { writes, groups: [accounts, alerts, display, evidence, run] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_and_go_in_any_order() {
        let (mut one, mut two) = (Census::default(), Census::default());
        for n in 0..100_u8 {
            one.add(&[b'a', b'/', n], &[n; 9]);
            two.add(&[b'a', b'/', 99 - n], &[99 - n; 9]);
        }
        assert_eq!(one, two);
        assert_eq!((one.entries(), one.bytes()), (100, 1200));
        two.strike(b"a/\x05", &Tally::of(b"a/\x05", &[5; 9]));
        assert!(!one.same_entries(&two));
        two.add(b"a/\x05", &[6; 9]);
        assert_eq!(two.entries(), 100);
        assert!(!one.same_entries(&two), "an old value in place of a new one is noticed");
        assert_eq!(Census::open(&one.seal().unwrap()), Ok(one));
    }

    #[test]
    fn damage_inside_an_envelope_is_left_to_its_checksum() {
        let sealed = envelope::seal(b"payload");
        let (mut good, mut inside, mut header) =
            (Census::default(), Census::default(), Census::default());
        good.add(b"a/x", &sealed);
        let mut bytes = sealed.clone();
        bytes[18] ^= 1;
        inside.add(b"a/x", &bytes);
        let mut bytes = sealed;
        bytes[12] ^= 1;
        header.add(b"a/x", &bytes);
        assert!(good.same_entries(&inside));
        assert!(!good.same_entries(&header));
    }

    #[test]
    fn every_key_has_its_group() {
        for (key, group) in [
            (&b"a/public/x"[..], Group::Accounts),
            (b"w/public/x", Group::Accounts),
            (b"l/1", Group::Alerts),
            (b"h/x", Group::Display),
            (b"e/x", Group::Evidence),
            (b"d/desk", Group::Run),
            (b"s/positions", Group::Run),
            (b"z/later", Group::Run),
        ] {
            assert_eq!(Group::of(key), group);
        }
    }
}
