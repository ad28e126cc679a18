//! What one client may take of the service, what browsers' pages may, and what no answer tells.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use cosmoguard::server::tokens::{self, Role};
use cosmoguard::time::Timestamp;
use serde_json::json;

use super::{Running, Setup, line};

fn connect(running: &Running) -> TcpStream {
    let socket = TcpStream::connect(running.base.trim_start_matches("http://")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    socket
}

/// Everything that comes until the server hangs up.
fn until_hung_up(mut socket: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is a way to hang up, too; a timeout is none.
    if let Err(e) = socket.read_to_end(&mut answer) {
        assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "{e}");
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_client_that_does_not_finish_its_head_is_let_go_and_others_are_served() {
    let running = Setup { patience: Duration::from_millis(300), ..Setup::default() }.start();
    let mut slow = connect(&running);
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: loc").unwrap();
    assert_eq!(running.get("/healthz").status, 200);
    let told = until_hung_up(slow);
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 408"), "{told}");
}

#[test]
fn heads_targets_and_bodies_are_bounded() {
    let running = Setup::default().start();
    running.get(&format!("/healthz?{}", "x".repeat(9 << 10))).problem(414);
    let mut socket = connect(&running);
    let head =
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    // It may hang up before it has read all.
    let _ = socket.write_all(head.as_bytes());
    let told = until_hung_up(socket);
    assert!(!told.starts_with("HTTP/1.1 200"), "{told}");
    let long = vec![b' '; (16 << 20) + 1];
    running.ask("POST", "/v1/events", &[], Some(&long)).problem(413);
    let long = " ".repeat(40 << 10);
    for path in ["/v1/suppressions", "/v1/expectations", "/v1/trusted-networks"] {
        running.post(path, &long).problem(413);
    }
    running.post("/v1/suppressions:simulate", &long).problem(413);
    assert_eq!(running.get("/healthz").status, 200);
}

#[test]
fn pages_of_other_origins_are_told_nothing_before_they_ask() {
    let running = Setup::default().start();
    let ask = [
        ("Origin", "https://evil.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    for path in ["/v1/alerts", "/v1/suppressions", "/v1/events", "/healthz"] {
        for method in ["OPTIONS", "GET"] {
            let answer = running.ask(method, path, &ask, None);
            let told = answer.headers.iter().find(|(n, _)| n.starts_with("access-control-"));
            assert_eq!(told, None, "{method} {path}");
            assert!(method == "GET" || answer.status >= 400, "{path}: {}", answer.status);
        }
    }
}

#[test]
fn hashes_of_tokens_are_compared_by_a_comparison_of_constant_time_and_nothing_else() {
    let source = include_str!("../../../src/server/tokens.rs");
    let holder =
        source.split("pub fn holder").nth(1).and_then(|s| s.split("\n}\n").next()).unwrap();
    assert!(holder.contains(".ct_eq(") && !holder.contains("==") && !holder.contains("break"));
    let uses = source.split("#[cfg(test)]").next().unwrap().matches(".sha256").count();
    assert_eq!(uses, 1, "the hash is looked at in `holder` only");
}

#[test]
fn no_refusal_and_no_file_but_the_list_of_hashes_tells_a_token_or_a_place_on_the_disk() {
    let entries = vec![(
        cosmoguard::store::keys::alert(0),
        line(0xabcd << 112, "contoso", "Low", 0, &json!({})),
    )];
    let running = Setup { entries, ..Setup::default() }.start();
    let made = tokens::create(running.path(), "ann", Role::Admin, &[], (Timestamp(0), None));
    let secret = made.unwrap();
    let wrong = format!("{}0", &secret[..secret.len() - 1]);
    let place = running.path().display().to_string();
    let hash = tokens::load(running.path()).unwrap().unwrap()[0].sha256.clone();
    let body = json!({"status": "Dismissed", "reason": "x", "verdict": "benign"}).to_string();
    // The audit log cannot be written, and then tokens cannot be read.
    std::fs::create_dir(running.path().join("audit.jsonl")).unwrap();
    let mut told = Vec::new();
    for token in [&secret, &wrong] {
        let bearer = format!("Bearer {token}");
        for (method, path, body) in [
            ("GET", "/nothing", None),
            ("GET", "/v1/alerts?limit=x", None),
            ("GET", "/v1/snapshots/diff?a=../tokens.toml&b=now&account=contoso", None),
            ("POST", "/v1/alerts/abcd/status", Some(body.as_bytes())),
            ("POST", "/v1/suppressions", Some(b"{}")),
            ("POST", "/v1/events", Some(b"{")),
            ("GET", "/v1/status", None),
        ] {
            let answer = running.ask(method, path, &[("Authorization", &bearer)], body);
            told.push(format!("{:?} {}", answer.headers, answer.body));
        }
    }
    assert!(told.iter().any(|t| t.contains("cannot be written down")), "{told:?}");
    std::fs::write(running.path().join(tokens::FILE), "not toml [").unwrap();
    let bearer = format!("Bearer {secret}");
    let answer = running.ask("GET", "/v1/status", &[("Authorization", &bearer)], None);
    answer.problem(503);
    told.push(answer.body);
    for text in &told {
        for hidden in [&secret, &wrong, &place, &hash] {
            assert!(!text.contains(hidden.as_str()), "{text}");
        }
    }
}
