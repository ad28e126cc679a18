//! TLS, and certificates of clients.
use cosmoguard::server::{self, Settings};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::Setup;
use crate::support::fixture;

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(fixture("tls").join(name)).unwrap()
}

/// The status of `/healthz` and its HSTS header; `None`: no connection came about.
fn ask(port: u16, with_certificate: bool) -> Option<(u16, bool)> {
    let root = Certificate::from_pem(&pem("ca.pem")).unwrap();
    let own = with_certificate.then(|| {
        let chain = [Certificate::from_pem(&pem("client.pem")).unwrap()];
        ClientCert::new_with_certs(&chain, PrivateKey::from_pem(&pem("client.key")).unwrap())
    });
    let roots = RootCerts::new_with_certs(&[root]);
    let tls = TlsConfig::builder().root_certs(roots).client_cert(own).build();
    let config = ureq::Agent::config_builder().http_status_as_error(false).tls_config(tls).build();
    let agent = ureq::Agent::new_with_config(config);
    let answer = agent.get(format!("https://127.0.0.1:{port}/healthz")).call().ok()?;
    let strict = answer.headers().contains_key("strict-transport-security");
    Some((answer.status().as_u16(), strict))
}

#[test]
fn with_certificates_it_speaks_tls_and_asks_for_those_of_clients_when_told_to() {
    let running = Setup::default().start();
    let mut settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        insecure_listen: false,
        server: running.shared.config.config.server.clone(),
        head_patience: server::HEAD_PATIENCE,
    };
    settings.server.tls.cert = fixture("tls/server.pem");
    settings.server.tls.key = fixture("tls/server.key");
    let tls = server::start(running.shared.clone(), &settings).unwrap();
    assert_eq!(ask(tls.address().port(), false), Some((200, true)));
    settings.server.tls.client_ca = fixture("tls/ca.pem");
    let mutual = server::start(running.shared.clone(), &settings).unwrap();
    assert_eq!(ask(mutual.address().port(), true), Some((200, true)));
    assert_eq!(ask(mutual.address().port(), false), None);
    settings.server.tls.key = fixture("tls/client.key");
    let error = format!("{:#}", server::start(running.shared.clone(), &settings).unwrap_err());
    assert!(error.contains("do not fit"), "{error}");
    settings.server.tls.cert = fixture("tls/README.md");
    let error = format!("{:#}", server::start(running.shared.clone(), &settings).unwrap_err());
    assert!(error.contains("no certificate"), "{error}");
}
