//! What a webhook's receiver can rely on, and what it cannot make us do.
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use super::receivers::Http;
use super::{lines, open_routes, sink, start, wait_until};

fn webhook(url: &str, more: &str) -> String {
    format!("name = \"w\"\nkind = \"webhook\"\nurl = \"{url}\"\n{more}")
}

#[test]
fn a_body_is_signed_and_the_key_is_the_same_at_each_try() {
    let http = Http::start(|n, _| match n {
        0 => (500, String::new(), "no".to_owned()),
        1 => (429, "Retry-After: 2\r\n".to_owned(), String::new()),
        _ => (202, String::new(), String::new()),
    });
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "k3y").unwrap();
    let more = format!("allow_private = true\nsecret = 'file:{}'", key.display());
    let settings = sink(&webhook(&http.url(), &more));
    let dispatcher = start(vec![settings], open_routes(), &folder.path().join("data"));
    dispatcher.listener().deliver(0, lines()[0].as_bytes());
    let status = wait_until(&dispatcher, |s| s[0].delivered == 1);
    assert_eq!((status[0].queued, status[0].failures, status[0].dead_letters), (0, 0, 0));
    let seen = http.seen();
    assert_eq!(seen.len(), 3);
    for request in &seen {
        assert_eq!(request.header("idempotency-key"), seen[0].header("idempotency-key"));
        assert_eq!(request.body, seen[0].body);
        let mut mac = Hmac::<Sha256>::new_from_slice(b"k3y").unwrap();
        mac.update(request.header("x-cosmoguard-timestamp").as_bytes());
        mac.update(b".");
        mac.update(&request.body);
        let expected: String =
            mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(request.header("x-cosmoguard-signature"), format!("v1={expected}"));
    }
    let body: Value = serde_json::from_slice(&seen[0].body).unwrap();
    let id = body["properties"]["systemAlertId"].as_str().unwrap();
    assert_eq!(seen[0].header("idempotency-key"), format!("{id}.1"));
    assert_eq!(seen[0].header("x-cosmoguard-event"), "new");
}

#[test]
fn private_addresses_are_refused_by_number_and_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let http = Http::ok();
    for (n, host) in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"].iter().enumerate() {
        let settings = sink(&webhook(&format!("https://{host}:{}/in", http.port), ""));
        let data = folder.path().join(n.to_string());
        let dispatcher = start(vec![settings], open_routes(), &data);
        dispatcher.listener().deliver(0, lines()[0].as_bytes());
        let status = wait_until(&dispatcher, |s| s[0].failures > 0);
        let (_, why) = status[0].last_error.as_ref().unwrap();
        assert!(why.contains("private address"), "{host}: {why}");
    }
    assert!(http.seen().is_empty());
}

#[test]
fn redirects_are_not_followed() {
    let inside = Http::ok();
    let location = format!("Location: {}\r\n", inside.url());
    let outside = Http::start(move |_, _| (302, location.clone(), String::new()));
    let folder = tempfile::tempdir().unwrap();
    let settings = sink(&webhook(&outside.url(), "allow_private = true"));
    let dispatcher = start(vec![settings], open_routes(), folder.path());
    dispatcher.listener().deliver(0, lines()[0].as_bytes());
    let status = wait_until(&dispatcher, |s| s[0].failures > 0);
    assert!(status[0].last_error.as_ref().unwrap().1.contains("redirects are not followed (302)"));
    assert!(inside.seen().is_empty());
    // The address that led there, and its path, are in no status.
    assert!(!serde_json::to_string(&status).unwrap().contains("/in"));
}

#[test]
fn rows_are_sent_with_a_token_that_was_asked_for_once() {
    let login = Http::start(|_, request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        assert_eq!(request.path, "/tenant-1/oauth2/v2.0/token");
        let expected = "grant_type=client_credentials&client_id=app-1&scope=https%3A%2F%2Fmonitor.azure.com%2F.default&client_secret=s%26cret%3D";
        assert_eq!(body, expected);
        (200, String::new(), "{\"access_token\":\"t0k\",\"expires_in\":3600}".to_owned())
    });
    let ingestion = Http::ok();
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "s&cret=\n").unwrap();
    let settings = sink(&format!(
        "name = \"l\"\nkind = \"log-analytics\"\nendpoint = \"http://127.0.0.1:{}\"\nrule_id = \"dcr-9\"\nstream = \"Custom-Alerts_CL\"\ntenant_id = \"tenant-1\"\nclient_id = \"app-1\"\nclient_secret = 'file:{}'\nlogin = \"http://127.0.0.1:{}\"\nallow_private = true",
        ingestion.port,
        secret.display(),
        login.port,
    ));
    let dispatcher = start(vec![settings], open_routes(), &folder.path().join("data"));
    let listener = dispatcher.listener();
    for (n, line) in lines().iter().take(2).enumerate() {
        listener.deliver(n as u64, line.as_bytes());
        wait_until(&dispatcher, |s| s[0].delivered == n as u64 + 1);
    }
    assert_eq!(login.seen().len(), 1);
    for request in ingestion.seen() {
        let path = "/dataCollectionRules/dcr-9/streams/Custom-Alerts_CL?api-version=2023-01-01";
        assert_eq!(request.path, path);
        assert_eq!(request.header("authorization"), "Bearer t0k");
        assert_eq!(request.header("content-encoding"), "gzip");
    }
    let status = serde_json::to_string(&dispatcher.status()).unwrap();
    assert!(!status.contains("s&cret") && !status.contains("t0k"));
    assert!(dispatcher.stop(Duration::from_secs(20)));
    for entry in walkdir::WalkDir::new(folder.path().join("data")).into_iter().flatten() {
        if entry.file_type().is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned();
            assert!(
                !text.contains("s&cret") && !text.contains("t0k"),
                "{}",
                entry.path().display()
            );
        }
    }
}

#[test]
fn a_receiver_that_is_not_trusted_gets_nothing() {
    use crate::support::fixture;
    let collector = super::receivers::Collector::tls();
    let folder = tempfile::tempdir().unwrap();
    for (n, authorities) in [Some("tls/other-ca.pem"), None].into_iter().enumerate() {
        let authorities = authorities
            .map(|name| format!("ca_file = '{}'", fixture(name).display()))
            .unwrap_or_default();
        let settings = sink(&format!(
            "name = \"s\"\nkind = \"syslog\"\naddress = \"localhost:{}\"\ntransport = \"tls\"\n{authorities}",
            collector.port
        ));
        let data = folder.path().join(n.to_string());
        let dispatcher = start(vec![settings], open_routes(), &data);
        dispatcher.listener().deliver(0, lines()[0].as_bytes());
        let status = wait_until(&dispatcher, |s| s[0].failures > 0);
        let why = &status[0].last_error.as_ref().unwrap().1;
        assert!(why.contains("certificate"), "{why}");
    }
    assert!(collector.seen().is_empty());
}
