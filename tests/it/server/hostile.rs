//! What no well-meaning client sends: answered by a refusal or a closed connection, never by a fault.
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::json;

use super::{Running, Setup, line};

/// The status of the answer to raw bytes; `None`: it was hung up on.
fn raw(running: &Running, bytes: &[u8]) -> Option<u16> {
    let address = running.base.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // It may hang up before it has read all.
    let _ = socket.write_all(bytes);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
}

#[test]
fn raw_bytes_bring_no_fault() {
    let running = Setup::demo().start();
    let long = "x".repeat(200_000);
    let target = "x".repeat(9000);
    let heads = "H: x\r\n".repeat(5000);
    for bytes in [
        b"\0\0\0\0\r\n\r\n".to_vec(),
        b"GET\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes(),
        format!("GET /healthz?{target} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes(),
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n").into_bytes(),
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{heads}\r\n").into_bytes(),
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n".to_vec(),
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_vec(),
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(),
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n".to_vec(),
        b"POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{".to_vec(),
        b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\xfe\r\n\r\n".to_vec(),
    ] {
        let status = raw(&running, &bytes);
        let head = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert!(status.is_none_or(|s| s < 500), "{head:?}: {status:?}");
    }
    assert_eq!(running.get("/healthz").status, 200, "it lives");
}

#[test]
fn strange_paths_and_parameters_bring_no_fault() {
    let running = Setup::demo().start();
    let strange = [
        "%00",
        "%ff",
        "%2e%2e%2f",
        "..%5c",
        "%",
        "%zz",
        "'",
        "%22",
        "%3Cscript%3E",
        "a%0d%0ab",
        "*",
        "public%2Fx",
        "china%2F",
        "%E2%80%AE",
        "-1",
        "18446744073709551616",
        "1e309",
        "NaN",
    ];
    for s in strange {
        for path in [
            format!("/v1/alerts/{s}"),
            format!("/v1/alerts/{s}/evidence"),
            format!("/v1/alerts?q={s}"),
            format!("/v1/alerts?cursor={s}"),
            format!("/v1/alerts?account={s}&kind={s}&principal={s}&story={s}"),
            format!("/v1/alerts?from={s}"),
            format!("/v1/accounts/{s}"),
            format!("/v1/accounts/{s}/series?from={s}"),
            format!("/v1/accounts?cursor={s}&q={s}"),
            format!("/v1/accounts/x/why-not?at={s}"),
            format!("/v1/snapshots/diff?a={s}&b={s}&account={s}"),
            format!("/v1/principals/{s}"),
            format!("/v1/callers/{s}"),
            format!("/v1/fleet/heat?from={s}&to={s}"),
            format!("/v1/stories?open={s}"),
            format!("/{s}"),
        ] {
            let head =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let status = raw(&running, head.as_bytes());
            assert!(status.is_some_and(|s| s < 500), "{path}: {status:?}");
        }
    }
    let far = "from=-9999-01-01&to=9999-12-31";
    for path in ["/v1/fleet/heat", "/v1/alerts", "/v1/fleet/callers"] {
        assert!(running.get(&format!("{path}?{far}")).status < 500);
    }
}

#[test]
fn hostile_text_in_alerts_stays_text() {
    let running = Setup::default().start();
    let nasty = "x\" \n\r\u{202e}<script>alert(1)</script>\u{0}";
    let more = json!({"Principal": nasty, "Verdict": nasty, "Evidence": "not json"});
    running.deliver(0, &line(0xabcd << 112, "contoso", "Low", 0, &more));
    running.deliver(1, b"not an alert");
    running.deliver(2, b"{\"name\":\"abcd\",\"properties\":{}}");
    let list = running.get("/v1/alerts");
    assert_eq!(list.header("content-type"), Some("application/json"));
    assert_eq!(list.json()["total"], 1);
    assert_eq!(list.json()["items"][0]["principal"], nasty);
    assert!(running.json("/v1/alerts/abcd/evidence")["frozen"].is_null());
    let answer = running.get("/v1/accounts/%3Cscript%3E");
    answer.problem(404);
    let wrong = running.get("/v1/alerts?severity=%1b%5b31m");
    wrong.problem(400);
    assert!(!wrong.body.contains('\u{1b}'));
}
