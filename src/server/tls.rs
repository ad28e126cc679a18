//! Certificates from PEM files.
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsConfig;

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read =
        CertificateDer::pem_file_iter(path).and_then(|found| found.collect::<Result<Vec<_>, _>>());
    let found = read.with_context(|| format!("cannot read certificates of {}", path.display()))?;
    if found.is_empty() {
        bail!("{} holds no certificate in PEM", path.display());
    }
    Ok(found)
}

/// The settings as rustls has them; `None` without a certificate.
///
/// # Errors
/// Files cannot be read, do not fit together, or one of the two is missing.
pub(super) fn load(config: &TlsConfig) -> anyhow::Result<Option<ServerConfig>> {
    let TlsConfig { cert, key, client_ca } = config;
    let none = |path: &Path| path.as_os_str().is_empty();
    match (none(cert), none(key)) {
        (true, true) if none(client_ca) => return Ok(None),
        (false, false) => {}
        _ => bail!("[server.tls] needs both cert and key"),
    }
    let chain = certificates(cert)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read the private key of {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    let builder = if none(client_ca) {
        builder.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(client_ca)? {
            roots.add(certificate)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build()?)
    };
    let config = builder
        .with_single_cert(chain, private)
        .with_context(|| format!("{} and {} do not fit", cert.display(), key.display()))?;
    Ok(Some(config))
}
