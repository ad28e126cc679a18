//! Nothing is lost, nobody waits for another, and what cannot be delivered is kept.
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use cosmoguard::alert::sinks::settings::Routes;
use cosmoguard::replay::writer::Listener;
use cosmoguard::store::memory::MemoryStore;
use cosmoguard::store::{StateStore, WriteBatch, keys};
use cosmoguard::time::Timestamp;
use serde_json::Value;

use super::receivers::Http;
use super::{lines, open_routes, renumbered, sink, start, wait_until};

fn file(name: &str, folder: &Path) -> String {
    let path = folder.join(format!("{name}.jsonl"));
    format!("name = \"{name}\"\nkind = \"file\"\npath = '{}'", path.display())
}

fn webhook(name: &str, http: &str, more: &str) -> String {
    format!("name = \"{name}\"\nkind = \"webhook\"\nurl = \"{http}\"\nallow_private = true\n{more}")
}

fn ids(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let id = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        value["properties"]["systemAlertId"].as_str().unwrap_or_default().to_owned()
    };
    text.lines().map(id).collect()
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn what_a_sink_that_is_down_should_get_comes_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let port = closed_port();
    let settings = || vec![sink(&webhook("w", &format!("http://127.0.0.1:{port}/"), ""))];
    let dispatcher = start(settings(), open_routes(), folder.path());
    let mut listener = dispatcher.listener();
    for (n, line) in lines().iter().enumerate() {
        listener.delivered(n as u64, line.as_bytes());
    }
    let status = wait_until(&dispatcher, |s| s[0].failures > 0);
    assert_eq!((status[0].queued, status[0].delivered), (8, 0));
    assert!(
        dispatcher.stop(Duration::from_secs(20)),
        "a sink that is down does not hold up the end"
    );
    let http = Http::at(port, |_, _| (200, String::new(), String::new()));
    let dispatcher = start(settings(), open_routes(), folder.path());
    let status = wait_until(&dispatcher, |s| s[0].delivered == 8);
    assert_eq!(status[0].queued, 0);
    let mut keys: Vec<String> =
        http.seen().iter().map(|r| r.header("idempotency-key").to_owned()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 8);
    assert_eq!(dispatcher.plan_status().next, Some(8));
}

#[test]
fn a_sink_that_never_answers_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let sinks = vec![
        sink(&webhook("silent", &url, "timeout_seconds = 60")),
        sink(&file("other", folder.path())),
    ];
    let dispatcher = start(sinks, open_routes(), &folder.path().join("data"));
    let listener = dispatcher.listener();
    for n in 0..200 {
        listener.deliver(n, renumbered(&lines()[0], n as u32, 1).as_bytes());
    }
    let status = wait_until(&dispatcher, |s| s[1].delivered == 200);
    assert_eq!((status[0].queued, status[0].delivered), (200, 0));
    assert_eq!(ids(&folder.path().join("other.jsonl")).len(), 200);
    assert!(!dispatcher.stop(Duration::from_millis(1)), "one of them is still at it");
}

#[test]
fn what_is_refused_is_set_aside_alone_and_goes_when_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let poison = format!("{:032x}", 3);
    let accepts = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (told, id) = (std::sync::Arc::clone(&accepts), poison.clone());
    let http = Http::start(move |_, request| {
        let poisoned = request.header("idempotency-key").starts_with(&id);
        let taken = !poisoned || told.load(std::sync::atomic::Ordering::SeqCst);
        (if taken { 200 } else { 400 }, String::new(), String::new())
    });
    let data = folder.path().join("data");
    let dispatcher = start(vec![sink(&webhook("w", &http.url(), ""))], open_routes(), &data);
    for n in 0..6 {
        let line = renumbered(&lines()[0], n as u32, 1);
        dispatcher.listener().deliver(n, line.as_bytes());
    }
    let status = wait_until(&dispatcher, |s| s[0].delivered == 5 && s[0].queued == 0);
    assert_eq!(status[0].dead_letters, 1);
    assert!(status[0].last_error.as_ref().unwrap().1.contains("refused the message (400)"));
    accepts.store(true, std::sync::atomic::Ordering::SeqCst);
    std::fs::write(data.join("sinks/w/retry"), b"").unwrap();
    let status = wait_until(&dispatcher, |s| s[0].delivered == 6);
    assert_eq!(status[0].dead_letters, 0);
    let tries = http.seen();
    let tries = tries.iter().filter(|r| r.header("idempotency-key").starts_with(&poison));
    assert_eq!(tries.count(), 2);
}

#[test]
fn a_message_that_fails_too_often_is_set_aside_and_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let http = Http::start(|_, _| (503, String::new(), String::new()));
    let settings = || vec![sink(&webhook("w", &http.url(), "max_tries = 2"))];
    let dispatcher = start(settings(), open_routes(), folder.path());
    dispatcher.listener().deliver(0, lines()[0].as_bytes());
    let status = wait_until(&dispatcher, |s| s[0].dead_letters == 1);
    assert_eq!((status[0].queued, http.seen().len()), (0, 2));
    dispatcher.stop(Duration::from_secs(20));
    let dispatcher = start(settings(), open_routes(), folder.path());
    assert_eq!(dispatcher.status()[0].dead_letters, 1);
}

#[test]
fn lines_that_became_durable_before_the_end_are_told_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let store = MemoryStore::default();
    let put = |number: u64| {
        let mut batch = WriteBatch::default();
        let line = renumbered(&lines()[0], number as u32, 1) + "\n";
        batch.put(keys::alert(number), line.into_bytes());
        store.write(batch).unwrap();
    };
    (0..5).for_each(put);
    let settings = || vec![sink(&file("f", folder.path()))];
    let data = folder.path().join("data");
    let path = folder.path().join("f.jsonl");
    let dispatcher = start(settings(), open_routes(), &data);
    assert_eq!(dispatcher.catch_up(&store).unwrap(), 0, "what was there before is history");
    put(5);
    dispatcher.listener().deliver(5, renumbered(&lines()[0], 5, 1).as_bytes());
    // Durable in the store, and the process ended before anybody was told.
    (6..9).for_each(put);
    assert!(dispatcher.stop(Duration::from_secs(20)));
    let dispatcher = start(settings(), open_routes(), &data);
    assert_eq!(dispatcher.catch_up(&store).unwrap(), 3);
    wait_until(&dispatcher, |s| s[0].delivered == 4);
    assert_eq!(ids(&path), [5, 6, 7, 8].map(|n| format!("{n:032x}")));
    dispatcher.stop(Duration::from_secs(20));
    // A state of before was put back: numbers are given anew.
    let older = MemoryStore::default();
    let dispatcher = start(settings(), open_routes(), &data);
    assert_eq!(dispatcher.catch_up(&older).unwrap(), 0);
    dispatcher.listener().deliver(0, renumbered(&lines()[0], 77, 1).as_bytes());
    wait_until(&dispatcher, |s| s[0].delivered == 5);
}

#[test]
fn warm_up_and_suppressed_alerts_are_told_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let all = format!("{}\nall_alerts = true", file("f", folder.path()));
    let dispatcher = start(vec![sink(&all)], open_routes(), &folder.path().join("data"));
    let mark = |n: usize, name: &str, text: &str| {
        let mut value: Value = serde_json::from_str(&lines()[n]).unwrap();
        value["properties"]["extendedProperties"][name] = text.into();
        value.to_string()
    };
    let listener = dispatcher.listener();
    listener.deliver(0, mark(0, "Warm-up", "true").as_bytes());
    listener.deliver(1, mark(1, "Suppressed by", "known scanner").as_bytes());
    listener.deliver(2, mark(2, "Warm-up", "false").as_bytes());
    wait_until(&dispatcher, |s| s[0].delivered == 1);
    dispatcher.stop(Duration::from_secs(20));
    let line: Value = serde_json::from_str(&lines()[2]).unwrap();
    assert_eq!(
        ids(&folder.path().join("f.jsonl")),
        [line["properties"]["systemAlertId"].as_str().unwrap()]
    );
}

#[test]
fn a_chat_hears_of_one_story_once() {
    let folder = tempfile::tempdir().unwrap();
    let http = Http::ok();
    let secret = folder.path().join("url");
    std::fs::write(&secret, http.url()).unwrap();
    let chat = format!(
        "name = \"c\"\nkind = \"slack\"\nurl = 'file:{}'\nallow_private = true",
        secret.display()
    );
    // 600 s of the fast clock are 3 s.
    let routes = Routes { group_wait_seconds: 600, group_max: 4, ..open_routes() };
    let dispatcher = start(vec![sink(&chat)], routes, &folder.path().join("data"));
    for n in 0..6 {
        dispatcher.listener().deliver(n, renumbered(&lines()[0], n as u32, 1).as_bytes());
    }
    wait_until(&dispatcher, |s| s[0].delivered == 6);
    let seen = http.seen();
    let texts: Vec<String> = seen
        .iter()
        .map(|r| serde_json::from_slice::<Value>(&r.body).unwrap()["text"].to_string())
        .collect();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("4 messages: "), "{texts:?}");
}

#[test]
fn updates_and_resolutions_follow_and_a_heartbeat_says_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let http = Http::ok();
    let settings = sink(&webhook("w", &http.url(), "heartbeat_minutes = 2"));
    let dispatcher = start(vec![settings], open_routes(), folder.path());
    dispatcher.set_watermark(Timestamp(1_794_600_000_000));
    let (first, second) = (renumbered(&lines()[0], 1, 1), renumbered(&lines()[0], 1, 2));
    dispatcher.listener().deliver(0, first.as_bytes());
    dispatcher.listener().deliver(1, second.as_bytes());
    dispatcher.status_changed(second.as_bytes(), "InProgress", "");
    dispatcher.status_changed(second.as_bytes(), "Resolved", "ours");
    wait_until(&dispatcher, |s| s[0].delivered == 4);
    let said = || -> Vec<String> {
        http.seen().iter().map(|r| r.header("x-cosmoguard-event").to_owned()).collect()
    };
    let beats = || said().iter().filter(|word| *word == "heartbeat").count();
    let before = beats();
    wait_until(&dispatcher, |_| beats() >= before + 2);
    let alerts: Vec<String> = said().into_iter().filter(|word| word != "heartbeat").collect();
    assert_eq!(alerts, ["new", "update", "status", "resolve"]);
    let last = http.seen().pop().unwrap();
    let beat: Value = serde_json::from_slice(&last.body).unwrap();
    assert_eq!(beat["detail"]["watermark"], 1_794_600_000_000_i64);
    assert!(
        beat["detail"]["last"].as_str().unwrap().starts_with(&format!("{:032x}.2.Resolved", 1))
    );
}
