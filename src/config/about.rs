//! What a snapshot says of the program, its configuration and its lists.
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest, Sha256};

use super::Resolved;
use crate::intel::view;
use crate::snapshot::{About, IntelVersion, hex};
use crate::time::Timestamp;

/// Describes this build under `resolved`, with these lists in use, at `now`.
///
/// # Errors
/// A list or database cannot be read.
pub fn about(
    resolved: &Resolved,
    tor_exits: &[PathBuf],
    threat_ips: &[PathBuf],
    now: Timestamp,
) -> anyhow::Result<About> {
    let base = view::base_manifest()?;
    let mut intel =
        vec![IntelVersion { name: format!("built-in {}", base.date), sha256: base.sha256 }];
    let config = &resolved.config.intel;
    let tags = Some(&config.service_tags).filter(|path| !path.as_os_str().is_empty());
    let files = config.databases.iter().chain(tags).chain(tor_exits);
    for path in files.chain(threat_ips) {
        intel.push(version(path)?);
    }
    Ok(About {
        created: now,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        config_sha256: config_sha256(resolved),
        intel,
    })
}

/// Of the values alone: where they came from changes nothing.
fn config_sha256(resolved: &Resolved) -> String {
    let mut sha = Sha256::new();
    for (key, value, _) in &resolved.values {
        sha.update(format!("{key} = {value}\n"));
    }
    hex(&sha.finalize())
}

fn version(path: &Path) -> anyhow::Result<IntelVersion> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    Ok(IntelVersion { name, sha256: hex(&Sha256::digest(&bytes)) })
}
