//! The shipped tables and the shipped database.
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::IntelError;
use super::database::Database;

const BASE_PACKED: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/intel/base.mmdb.zst"));
const BASE_JSON: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/intel/base.json"));
const HOSTING: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/intel/hosting_asns.csv"));
const AZURE: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/intel/azure_asns.csv"));
const PORTAL: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/intel/portal_ips.csv"));

/// What the shipped database is: written by its build script, shown by `intel status`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BaseManifest {
    /// Date of the data, `YYYY-MM-DD`.
    pub date: String,
    /// Size of the unpacked database, bytes.
    pub bytes: usize,
    /// SHA-256 of the unpacked database, hex.
    pub sha256: String,
    /// Ranges of addresses, IPv4.
    pub ranges_v4: u64,
    /// Ranges of addresses, IPv6.
    pub ranges_v6: u64,
    /// Where the data came from.
    pub sources: Vec<BaseSource>,
}

/// One package that the shipped database was built from.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BaseSource {
    /// Package name.
    pub package: String,
    /// Version.
    pub version: String,
    /// SHA-256 of the package's tarball, hex.
    pub sha256: String,
    /// Licence.
    pub licence: String,
    /// Whom to name.
    pub attribution: String,
}

/// The manifest of the shipped database.
pub fn base_manifest() -> Result<BaseManifest, IntelError> {
    serde_json::from_str(BASE_JSON).map_err(|e| base_error(&e.to_string()))
}

fn base_error(reason: &str) -> IntelError {
    IntelError::Database { name: "base.mmdb".to_owned(), reason: reason.to_owned() }
}

/// The shipped database, unpacked and verified once a process and then shared.
pub(crate) fn base() -> Result<Arc<Database>, IntelError> {
    static BASE: OnceLock<Result<Arc<Database>, String>> = OnceLock::new();
    let opened = BASE.get_or_init(|| unpack().map(Arc::new).map_err(|e| e.to_string()));
    opened.clone().map_err(|reason| base_error(&reason))
}

fn unpack() -> Result<Database, IntelError> {
    let manifest = base_manifest()?;
    let bytes = zstd::bulk::decompress(BASE_PACKED, manifest.bytes)
        .map_err(|e| base_error(&e.to_string()))?;
    let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
    if digest != manifest.sha256 {
        return Err(base_error(&format!(
            "checksum is {digest}, base.json says {}; check out models/intel again",
            manifest.sha256
        )));
    }
    Database::open("base.mmdb", bytes)
}

/// AS numbers in which Azure runs, ascending.
pub(crate) fn azure_asns() -> Result<Vec<u32>, IntelError> {
    let mut numbers = Vec::new();
    for [asn, _name] in rows::<2>("azure_asns.csv", AZURE)? {
        numbers.push(number("azure_asns.csv", &asn)?);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// AS numbers of clouds, hosting companies and commercial VPNs.
pub(crate) fn hosting_asns() -> Result<BTreeMap<u32, HostingKind>, IntelError> {
    let mut table = BTreeMap::new();
    for [asn, _name, kind] in rows::<3>("hosting_asns.csv", HOSTING)? {
        let kind = match kind.as_str() {
            "cloud" => HostingKind::Cloud,
            "hosting" => HostingKind::Hosting,
            "vpn" => HostingKind::Vpn,
            other => return Err(table_error("hosting_asns.csv", other)),
        };
        table.insert(number("hosting_asns.csv", &asn)?, kind);
    }
    Ok(table)
}

/// What kind of hosting an AS does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostingKind {
    /// A public cloud or content network.
    Cloud,
    /// Servers for rent.
    Hosting,
    /// A commercial VPN.
    Vpn,
}

impl HostingKind {
    /// Lower-case word for output.
    pub fn as_str(self) -> &'static str {
        match self {
            HostingKind::Cloud => "cloud",
            HostingKind::Hosting => "hosting",
            HostingKind::Vpn => "vpn",
        }
    }
}

/// Addresses of the Cosmos DB portal's middleware, all clouds.
pub(crate) fn portal_networks() -> Result<Vec<ipnet::IpNet>, IntelError> {
    let mut networks = Vec::new();
    for [address, _cloud] in rows::<2>("portal_ips.csv", PORTAL)? {
        let address: std::net::IpAddr =
            address.parse().map_err(|_| table_error("portal_ips.csv", &address))?;
        networks.push(address.into());
    }
    Ok(networks)
}

/// Rows of a shipped CSV table with exactly `N` columns, after its header.
pub(crate) fn rows<const N: usize>(
    table: &str,
    text: &str,
) -> Result<Vec<[String; N]>, IntelError> {
    let mut out = Vec::new();
    for record in csv::Reader::from_reader(text.as_bytes()).records() {
        let record = record.map_err(|e| table_error(table, &e.to_string()))?;
        let columns: Vec<String> = record.iter().map(str::to_owned).collect();
        let columns = columns.try_into().map_err(|_| table_error(table, "number of columns"))?;
        out.push(columns);
    }
    Ok(out)
}

fn number(table: &str, text: &str) -> Result<u32, IntelError> {
    text.parse().map_err(|_| table_error(table, text))
}

fn table_error(table: &str, reason: &str) -> IntelError {
    IntelError::Table { table: table.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_tables_are_whole() {
        let hosting = hosting_asns().unwrap();
        assert!(hosting.len() > 200);
        assert_eq!(hosting.get(&24940), Some(&HostingKind::Hosting));
        let azure = azure_asns().unwrap();
        assert!(azure.contains(&8075));
        assert!(azure.iter().all(|asn| !hosting.contains_key(asn)));
        assert_eq!(portal_networks().unwrap().len(), 8);
    }

    #[test]
    fn the_manifest_names_its_sources() {
        let manifest = base_manifest().unwrap();
        assert_eq!(manifest.sources.len(), 2);
        assert!(manifest.sources.iter().any(|s| s.licence == "CC-BY-4.0"));
        assert!(base().is_ok());
        let notice = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/intel/NOTICE.md"));
        assert!(notice.contains(&manifest.sha256) && notice.contains(&manifest.date));
        for source in manifest.sources {
            assert!(notice.contains(&source.package) && notice.contains(&source.version));
            assert!(notice.contains(&source.sha256));
        }
    }
}
