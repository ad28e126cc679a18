//! Which callers of a cell are kept: the smallest ranks, whatever the order of arrival.
use super::*;

/// Keeps the `max` rows of smallest rank, hands the one that falls out to `spill`. The final
/// content does not depend on arrival order: the largest kept rank only ever falls, so whatever
/// was spilled once stays out.
pub(super) fn insert_ranked<R>(
    rows: &mut Vec<(u64, CallerKey, R)>,
    row: (u64, CallerKey, R),
    max: usize,
    spill: &mut dyn FnMut((u64, CallerKey, R)),
) {
    let at = rows.partition_point(|(k, _, _)| *k < row.0);
    if rows.len() < max {
        rows.reserve_exact(1);
    } else if at == rows.len() {
        return spill(row);
    } else if let Some(last) = rows.pop() {
        spill(last);
    }
    rows.insert(at, row);
}

/// The part of a rank that tells callers apart; the bits above order them: listed addresses first,
/// which are never pooled for an ordinary one, then strangers, then who is familiar.
pub(super) const HASH_BITS: u64 = u64::MAX >> 2;
pub(super) const STRANGER: u64 = 1 << 62;
pub(super) const FAMILIAR: u64 = 2 << 62;

/// Hash of who a caller is.
pub(super) fn caller_hash(r: &Request) -> u64 {
    let mut h = xxhash_rust::xxh3::Xxh3::with_seed(u64::from(r.internal));
    match r.client_ip {
        Some(IpAddr::V4(a)) => h.update(&a.octets()),
        Some(IpAddr::V6(a)) => h.update(&a.octets()),
        None => h.update(b"-"),
    }
    h.update(r.client_family.as_bytes());
    hash_credential(&mut h, &r.credential);
    h.digest() & HASH_BITS
}

pub(super) fn pool_hash(key: &CallerKey) -> u64 {
    let mut h = xxhash_rust::xxh3::Xxh3::with_seed(u64::from(key.internal));
    h.update(&[key.network.class as u8]);
    h.update(&key.network.country.map_or([0; 2], |c| c.0));
    h.update(&key.network.asn.unwrap_or(0).to_le_bytes());
    h.update(key.family.as_bytes());
    hash_credential(&mut h, &key.credential);
    h.digest() & HASH_BITS
}

fn hash_credential(h: &mut xxhash_rust::xxh3::Xxh3, credential: &Credential) {
    match credential {
        Credential::Key(kind) => h.update(&[1, *kind as u8]),
        Credential::Entra(principal) => {
            h.update(&[2]);
            h.update(principal.as_str().as_bytes());
        }
        Credential::ResourceToken => h.update(&[3]),
        Credential::System => h.update(&[4]),
        Credential::Unknown => h.update(&[5]),
    }
}
