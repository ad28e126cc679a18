//! Records are handed over.
use std::io::Write as _;

use cosmoguard::limits::INBOX_BATCH_BYTES_MAX;

use super::Setup;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn every_form_is_taken_once_it_is_on_the_disk() {
    let running = Setup::default().start();
    let record = r#"{"time":"2026-01-01T00:00:00Z","category":"DataPlaneRequests"}"#;
    let lines = format!("{record}\n{record}\n");
    let packed = [gzip(lines.as_bytes()), zstd::encode_all(lines.as_bytes(), 1).unwrap()];
    let array = format!("[{record},{record},{record}]");
    let envelope = format!("{{\"records\":[{record},7]}}");
    for (body, encoding, accepted, refused) in [
        (record.as_bytes(), "", 1, 0),
        (lines.as_bytes(), "identity", 2, 0),
        (array.as_bytes(), "", 3, 0),
        (envelope.as_bytes(), "", 1, 1),
        (&packed[0], "gzip", 2, 0),
        (&packed[1], "zstd", 2, 0),
        (&packed[0], "", 2, 0),
    ] {
        let before = running.shared.inbox.as_ref().unwrap().status().accepted;
        let headers = [("Content-Encoding", encoding)];
        let headers = if encoding.is_empty() { &headers[..0] } else { &headers[..] };
        let answer = running.ask("POST", "/v1/events", headers, Some(body));
        assert_eq!(answer.status, 202, "{}", answer.body);
        let told = answer.json();
        assert_eq!(told["accepted"], accepted, "{told}");
        assert_eq!(told["refused"]["bad_json"].as_u64().unwrap_or(0), refused, "{told}");
        assert!(told["mark"]["segment"].as_u64().unwrap() >= 1);
        assert_eq!(running.shared.inbox.as_ref().unwrap().status().accepted, before + 1);
    }
}

#[test]
fn what_is_no_batch_is_refused_and_not_kept() {
    let running = Setup::default().start();
    let bomb = gzip(&vec![b' '; INBOX_BATCH_BYTES_MAX + 1]);
    let zstd_bomb = zstd::encode_all(vec![b' '; INBOX_BATCH_BYTES_MAX + 1].as_slice(), 1).unwrap();
    let long = vec![b' '; INBOX_BATCH_BYTES_MAX + 1];
    let cut = &gzip(b"{\"a\":1}")[..12];
    for (body, encoding, status) in [
        (b"".as_slice(), "identity", 400),
        (b"hello", "identity", 400),
        (b"[1,2,3]", "identity", 400),
        (&[0xFF, 0xFE, 0x00], "identity", 400),
        (b"{\"a\":1}", "gzip", 400),
        (b"{\"a\":1}", "zstd", 400),
        (b"{\"a\":1}", "br", 415),
        (cut, "gzip", 400),
        (&bomb, "gzip", 413),
        (&zstd_bomb, "zstd", 413),
        (&long, "identity", 413),
    ] {
        let headers = [("Content-Encoding", encoding)];
        let answer = running.ask("POST", "/v1/events", &headers, Some(body));
        answer.problem(status);
    }
    assert_eq!(running.shared.inbox.as_ref().unwrap().status().accepted, 0);
}

#[test]
fn a_full_inbox_says_when_to_come_back() {
    let running = Setup { inbox_bytes: 4096, ..Setup::default() }.start();
    let body = format!("{{\"a\":\"{}\"}}", "x".repeat(1500));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let answer = running.post("/v1/events", &body);
        if answer.status == 429 {
            answer.problem(429);
            assert!(answer.header("retry-after").is_some());
        }
        statuses.push(answer.status);
    }
    assert_eq!((statuses[0], statuses[3]), (202, 429), "{statuses:?}");
}

#[test]
fn a_service_without_an_inbox_says_what_to_do_instead() {
    let running = Setup { inbox_bytes: 0, ..Setup::default() }.start();
    let answer = running.post("/v1/events", r#"{"time":"2026-11-13T03:00:00Z"}"#);
    answer.problem(409);
    assert!(answer.json()["detail"].as_str().unwrap().contains("without --demo"));
}
