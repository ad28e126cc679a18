//! Persisted form of the register of sources and of the fingerprints of recent records.
use serde::{Deserialize, Serialize};

/// A file: who it is and how far it is applied.
#[derive(Debug, Serialize, Deserialize)]
pub struct SourceV1 {
    /// Hash of its path.
    pub path: u128,
    /// Bytes of its head.
    pub head_len: u32,
    /// Hash of its head.
    pub head: u128,
    /// First offset not applied.
    pub next: u64,
    /// Stretches before it that were passed over.
    pub passed: Vec<(u64, u64)>,
}

/// Where a file lay when it was first met.
#[derive(Debug, Serialize, Deserialize)]
pub struct SourceNameV1 {
    /// Its path.
    pub name: String,
}

/// Fingerprints of records, in the order in which they came.
#[derive(Debug, Serialize, Deserialize)]
pub struct DigestsV1 {
    /// XXH3-128 each.
    pub digests: Vec<u128>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::codec;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn values_are_written_as_ever() {
        let source =
            SourceV1 { path: 7, head_len: 65_536, head: 1 << 64, next: 300, passed: vec![(9, 20)] };
        let name = SourceNameV1 { name: "a.json".to_owned() };
        let digests = DigestsV1 { digests: vec![1, 1 << 100] };
        let sealed = [
            codec::encode(&source, 1000).unwrap(),
            codec::encode(&name, 1000).unwrap(),
            codec::encode(&digests, 1000).unwrap(),
        ];
        let payloads = sealed.map(|s| hex(&s[crate::store::envelope::HEADER_BYTES..]));
        assert_eq!(
            payloads,
            [
                "07fc00000100fe00000000000000000100000000000000fb2c01010914",
                "06612e6a736f6e",
                "0201fe00000000000000000000000010000000",
            ]
        );
    }
}
