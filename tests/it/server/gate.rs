//! Who may ask.
use cosmoguard::server::tokens::{self, Role};
use cosmoguard::server::{self, Settings};
use cosmoguard::time::Timestamp;

use super::{Running, Setup, line};

fn token(running: &Running, name: &str, role: Role, accounts: &[&str]) -> String {
    let accounts: Vec<String> = accounts.iter().map(|a| (*a).to_owned()).collect();
    let secret = tokens::create(running.path(), name, role, &accounts, (Timestamp(0), None));
    format!("Bearer {}", secret.unwrap())
}

/// Every operation of the description, with its parameters filled in.
fn operations() -> Vec<(String, String)> {
    let document: serde_json::Value = serde_json::from_str(&server::openapi::text()).unwrap();
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.replace("{id}", "abcd").replace("{ip}", "203.0.113.9");
        for method in item.as_object().unwrap().keys() {
            found.push((method.to_uppercase(), path.clone()));
        }
    }
    found
}

#[test]
fn without_a_token_nothing_is_told_but_that_it_lives() {
    let running = Setup::default().set("REQUIRE_TOKEN", "true").start();
    for (method, path) in operations() {
        let answer = running.ask(&method, &path, &[], None);
        if ["/healthz", "/readyz", "/openapi.json"].contains(&path.as_str()) {
            assert_eq!(answer.status, 200, "{path}");
        } else {
            answer.problem(401);
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
        }
        let wrong = format!("Bearer cosmoguard_{}", "0".repeat(64));
        let answer = running.ask(&method, &path, &[("Authorization", &wrong)], None);
        assert!([200, 401, 429].contains(&answer.status), "{path}");
    }
}

#[test]
fn roles_may_what_they_are_for() {
    let running = Setup::demo().start();
    assert_eq!(running.get("/v1/status").status, 200, "no tokens, this machine");
    running.deliver(1000, &line(0xabcd << 112, "contoso", "Low", 0, &serde_json::json!({})));
    let roles = [Role::Sender, Role::Reader, Role::Analyst, Role::Admin];
    let secrets = roles.map(|role| token(&running, role.as_str(), role, &[]));
    running.get("/v1/status").problem(401);
    let decision = br#"{"status":"Resolved"}"#.as_slice();
    for (method, path, body, allowed) in [
        ("GET", "/v1/status", None, [false, true, true, true]),
        ("GET", "/v1/alerts", None, [false, true, true, true]),
        ("GET", "/metrics", None, [false, true, true, true]),
        ("POST", "/v1/events", Some(b"{}".as_slice()), [true, false, false, true]),
        ("POST", "/v1/alerts/abcd/status", Some(decision), [false, false, true, true]),
        ("POST", "/v1/snapshots", Some(b"".as_slice()), [false, false, false, true]),
        ("POST", "/v1/%73napshots", Some(b"".as_slice()), [false, false, false, true]),
    ] {
        for (secret, allowed) in secrets.iter().zip(allowed) {
            let answer = running.ask(method, path, &[("Authorization", secret)], body);
            if allowed {
                assert!((200..300).contains(&answer.status), "{method} {path} {}", answer.body);
            } else {
                answer.problem(403);
            }
        }
    }
    assert!(tokens::revoke(running.path(), "reader").unwrap());
    running.ask("GET", "/v1/status", &[("Authorization", &secrets[1])], None).problem(401);
    for name in ["sender", "analyst", "admin"] {
        tokens::revoke(running.path(), name).unwrap();
    }
    running.get("/v1/status").problem(401);
}

#[test]
fn a_scoped_token_sees_its_accounts_and_nothing_of_others() {
    let running = Setup::demo().start();
    let all = running.json("/v1/alerts?limit=200");
    let mine = "cosmos-devices-live-003";
    let secret = token(&running, "team", Role::Admin, &["cosmos-devices-*"]);
    let ask = |path: &str| running.ask("GET", path, &[("Authorization", &secret)], None);
    let list = ask("/v1/alerts?limit=200").json();
    let items = list["items"].as_array().unwrap();
    assert!(!items.is_empty() && items.len() < all["items"].as_array().unwrap().len());
    for item in items {
        for account in item["accounts"].as_array().unwrap() {
            assert!(account.as_str().unwrap().starts_with("cosmos-devices-"), "{item}");
        }
    }
    let foreign = all["items"].as_array().unwrap().iter();
    let foreign = foreign.filter(|i| !i["account"].as_str().unwrap().contains("devices"));
    for item in foreign.take(5) {
        let id = item["id"].as_str().unwrap();
        for path in [format!("/v1/alerts/{id}"), format!("/v1/alerts/{id}/evidence")] {
            ask(&path).problem(404);
        }
        let path = format!("/v1/alerts/{id}/status");
        let body = br#"{"status":"Resolved"}"#;
        running.ask("POST", &path, &[("Authorization", &secret)], Some(body)).problem(404);
    }
    let accounts = ask("/v1/accounts").json();
    assert_eq!(accounts["total"], 2, "{accounts}");
    assert_eq!(ask(&format!("/v1/accounts/{mine}")).status, 200);
    for tail in ["", "/model", "/series", "/timeline", "/coverage", "/why-not?at=2026-10-01"] {
        ask(&format!("/v1/accounts/cosmos-pricing-prod-001{tail}")).problem(404);
    }
    for path in ["/metrics", "/v1/snapshots"] {
        ask(path).problem(403);
    }
    running.ask("POST", "/v1/events", &[("Authorization", &secret)], Some(b"{}")).problem(403);
    assert!(ask("/v1/status").json()["fleet"].is_null());
    for path in [
        "/v1/stories",
        "/v1/fleet/heat?from=2026-10-01&to=2026-10-28",
        "/v1/fleet/callers",
        "/v1/budget",
    ] {
        let body = ask(path).body;
        assert!(!body.contains("cosmos-pricing") && !body.contains("cosmos-loyalty"), "{body}");
    }
}

#[test]
fn pages_of_other_origins_and_names_made_to_point_here_are_refused() {
    let running = Setup::default().start();
    let host = running.base.trim_start_matches("http://").to_owned();
    let same = format!("http://{host}");
    for (name, value, status) in [
        ("Host", "evil.example", 403),
        ("Host", "localhost:80", 200),
        ("Origin", "http://evil.example", 403),
        ("Origin", same.as_str(), 200),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Sec-Fetch-Site", "none", 200),
    ] {
        let answer = running.ask("GET", "/v1/status", &[(name, value)], None);
        assert_eq!(answer.status, status, "{name}: {value}");
    }
}

#[test]
fn every_answer_has_the_headers() {
    let running = Setup::default().start();
    for path in ["/healthz", "/v1/status", "/nothing", "/v1/alerts?limit=0"] {
        let answer = running.get(path);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert!(answer.header("content-security-policy").unwrap().contains("default-src 'none'"));
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
    running.get("/nothing").problem(404);
    for (path, allowed) in [
        ("/v1/status", "GET"),
        ("/v1/suppressions", "GET, POST"),
        ("/v1/suppressions/S1", "GET, PUT, DELETE"),
        ("/v1/suppressions:simulate", "POST"),
        ("/v1/accounts/china/contoso/model", "GET"),
    ] {
        let answer = running.ask("PATCH", path, &[], None);
        answer.problem(405);
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
    }
}

#[test]
fn one_client_asks_so_much_and_no_more() {
    let running = Setup::default().set("BURST", "3").set("REQUESTS_PER_SECOND", "0.001").start();
    for _ in 0..3 {
        assert_eq!(running.get("/healthz").status, 200);
    }
    let answer = running.get("/healthz");
    answer.problem(429);
    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
}

#[test]
fn beyond_this_machine_it_listens_with_tls_or_when_told_so() {
    let running = Setup::default().start();
    let mut settings = Settings {
        listen: "0.0.0.0:0".parse().unwrap(),
        insecure_listen: false,
        server: running.shared.config.config.server.clone(),
        head_patience: server::HEAD_PATIENCE,
    };
    let error = server::start(running.shared.clone(), &settings).unwrap_err().to_string();
    assert!(error.contains("--insecure-listen"), "{error}");
    settings.insecure_listen = true;
    let wide = server::start(running.shared.clone(), &settings).unwrap();
    let port = wide.address().port();
    let mut agent = Setup::default().start();
    let own = std::mem::replace(&mut agent.base, format!("http://127.0.0.1:{port}"));
    agent.get("/v1/status").problem(401);
    agent.base = own;
    settings.server.tls.cert = "missing.pem".into();
    assert!(server::start(running.shared.clone(), &settings).is_err());
    settings.listen = wide.address();
    settings.server.tls.cert = "".into();
    let error = format!("{:#}", server::start(running.shared.clone(), &settings).unwrap_err());
    assert!(error.contains("--listen"), "{error}");
}
