//! `intel add`, `update`, `remove`: lists that a data directory keeps.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::support::{Ran, cli};

const LIST: &str = "198.51.100.7\n203.0.113.0/24\n";

fn run(dir: &Path, args: &str) -> Ran {
    cli(dir, &args.split_whitespace().collect::<Vec<_>>())
}

/// A server on the loopback that gives `body` with an `ETag`, and 304 to who has it. It lives as long
/// as the test's process; `asked` counts full answers.
fn serve(body: Arc<Mutex<String>>) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let full = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&full);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
                head.push(byte[0]);
            }
            let body = body.lock().expect("nobody panics").clone();
            let etag = format!("\"{}\"", body.len());
            let answer = if String::from_utf8_lossy(&head).contains(&etag) {
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    .to_owned()
            } else {
                counted.fetch_add(1, Ordering::SeqCst);
                format!(
                    "HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                )
            };
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (format!("http://{address}/list.txt"), full)
}

#[test]
fn a_feed_is_fetched_when_due_and_a_bad_one_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let body = Arc::new(Mutex::new(LIST.to_owned()));
    let (url, full) = serve(Arc::clone(&body));
    let config = |every: u32, rest: &str| {
        let text = format!(
            "[[intel.feeds]]\nname = \"drop\"\nkind = \"threat\"\nfrom = \"{url}\"\nevery_hours = {every}\n{rest}"
        );
        std::fs::write(dir.path().join("c.toml"), text).expect("written");
    };
    let update =
        |args: &str| run(dir.path(), &format!("intel update {args} --config c.toml --data-dir d"));
    config(6, "");
    let ran = update("");
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("plain HTTP") && ran.err.contains("`drop`"), "{}", ran.err);
    std::fs::write(dir.path().join("sum"), sha256(LIST)).expect("written");
    config(6, "checksum = \"sum\"\n");
    let ran = update("");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("drop: 2 entries, 0 before"), "{}", ran.err);
    // Not due, then asked for by name: the server says that nothing has changed.
    assert_eq!(update("").err, "");
    assert!(update("drop").err.contains("unchanged"));
    assert_eq!(full.load(Ordering::SeqCst), 1);
    *body.lock().expect("nobody panics") = "<html>maintenance</html>".to_owned();
    let ran = update("drop --json");
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let told: Value = serde_json::from_str(ran.out.lines().next().expect("a line")).expect("JSON");
    assert_eq!((&told["feed"], &told["outcome"]), (&"drop".into(), &"kept".into()));
    let kept = std::fs::read_to_string(dir.path().join("d/intel/drop.list")).expect("kept");
    assert_eq!(kept, LIST);
    let status = run(dir.path(), "intel status --json --config c.toml --data-dir d");
    let status: Value = serde_json::from_str(&status.out).expect("JSON");
    assert_eq!(status["feeds"][0]["name"], "drop");
    assert_eq!(status["feeds"][0]["entries"], 2);
    // A feed that nobody names any more is not used.
    std::fs::write(dir.path().join("c.toml"), "").expect("written");
    let status = run(dir.path(), "intel status --json --config c.toml --data-dir d");
    assert!(status.out.contains("\"feeds\":[]"), "{}", status.out);
    let ran = update("drop");
    assert!(ran.code == Some(1) && ran.err.contains("there is none"), "{}", ran.err);
}

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    cosmoguard::snapshot::hex(&Sha256::digest(text.as_bytes()))
}

#[test]
fn a_list_added_by_hand_is_found_by_every_command() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("Our List.txt"), LIST).expect("written");
    let args = ["intel", "add", "Our List.txt", "--kind", "tor-exit", "--data-dir", "d"];
    let ran = cli(dir.path(), &args);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.err.contains("`our-list`, a tor-exit list of 2 entries"), "{}", ran.err);
    let status = run(dir.path(), "intel status --json --data-dir d");
    assert!(status.out.contains("\"our-list\""), "{}", status.out);
    std::fs::write(dir.path().join("bad.txt"), "not an address\n").expect("written");
    let ran = run(dir.path(), "intel add bad.txt --kind threat --data-dir d");
    assert!(ran.code == Some(1) && ran.err.contains("broken at line 1"), "{}", ran.err);
    assert!(!dir.path().join("d/intel/bad.json").exists());
    assert_eq!(run(dir.path(), "intel add bad.txt --kind threat").code, Some(2));
    let ran = run(dir.path(), "intel remove ours --data-dir d");
    assert!(ran.code == Some(1) && ran.err.contains("it keeps our-list"), "{}", ran.err);
    assert_eq!(run(dir.path(), "intel remove our-list --data-dir d").code, Some(0));
    assert!(run(dir.path(), "intel status --json --data-dir d").out.contains("\"feeds\":[]"));
}
