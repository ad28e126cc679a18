//! Server-sent events.
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Running, Setup, line};

/// One event.
#[derive(Debug)]
struct Event {
    id: String,
    name: String,
    data: Value,
}

struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(running: &Running, last: Option<&str>) -> Stream {
        let address = running.base.trim_start_matches("http://");
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let head = format!("GET /v1/alerts/stream HTTP/1.1\r\nHost: {address}\r\n{last}\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let mut stream = Stream(BufReader::new(socket));
        let status = stream.line();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        stream
    }
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
    /// The next event that is no tick; ticks come every five seconds.
    fn next(&mut self) -> Event {
        for _ in 0..24 {
            let event = self.any();
            if event.name != "tick" && event.name != "hello" {
                return event;
            }
        }
        panic!("nothing is told");
    }
    fn any(&mut self) -> Event {
        let (mut id, mut name) = (String::new(), String::new());
        loop {
            let line = self.line();
            if let Some(text) = line.strip_prefix("id: ") {
                id = text.to_owned();
            } else if let Some(text) = line.strip_prefix("event: ") {
                name = text.to_owned();
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Event { id, name, data: serde_json::from_str(text).unwrap() };
            }
        }
    }
}

fn alert(n: u64, severity: &str) -> Vec<u8> {
    line((u128::from(n) + 0xabcd) << 112, "contoso", severity, n as i64, &json!({}))
}

#[test]
fn news_are_told_and_what_was_missed_is_told_again() {
    let running = Setup::default().start();
    running.deliver(0, &alert(0, "Low"));
    let mut stream = Stream::open(&running, None);
    assert_eq!(stream.any().name, "hello");
    let tick = stream.any();
    assert_eq!((tick.name.as_str(), &tick.data["phase"]), ("tick", &json!("running")));
    running.deliver(1, &alert(1, "Low"));
    let told = stream.next();
    assert_eq!((told.name.as_str(), &told.data["severity"]), ("alert", &json!("Low")));
    running.deliver(2, &alert(0, "High"));
    let told = stream.next();
    assert_eq!((told.name.as_str(), &told.data["severity"]), ("revision", &json!("High")));
    let heard = told.id.clone();
    running.post("/v1/alerts/abcd/status", r#"{"status":"InProgress"}"#);
    let told = stream.next();
    assert_eq!(told.name, "status");
    assert_eq!(told.data["decision"]["status"], "InProgress");
    drop(stream);
    running.deliver(3, &alert(3, "Medium"));
    let mut again = Stream::open(&running, Some(&heard));
    assert_eq!((again.next().name, again.next().name), ("alert".to_owned(), "status".to_owned()));
    running.deliver(4, &alert(4, "Low"));
    let told = again.next();
    assert_eq!(told.id, "5-1");
    let mut nothing = Stream::open(&running, Some("5-1"));
    running.deliver(5, &alert(5, "High"));
    assert_eq!(nothing.next().data["severity"], "High", "nothing twice");
    let mut other = Stream::open(&running, Some("900-900"));
    running.deliver(6, &alert(6, "Low"));
    assert_eq!(other.next().id, "7-1", "an id of another life says nothing");
}

#[test]
fn ids_are_checked_and_listeners_are_bounded() {
    let running = Setup::default().start();
    for id in ["x", "1", "1-", "-1-1", "1-2-3", "99999999999999999999-1"] {
        let headers = [("Last-Event-ID", id)];
        let answer = running.ask("GET", "/v1/alerts/stream", &headers, None);
        assert_eq!(answer.problem(400), "Last-Event-ID", "{id}");
    }
    let held: Vec<Stream> = (0..64).map(|_| Stream::open(&running, None)).collect();
    let answer = running.get("/v1/alerts/stream");
    answer.problem(429);
    assert!(answer.header("retry-after").is_some());
    drop(held);
}

#[test]
fn who_missed_too_much_is_told_to_read_the_list() {
    let running = Setup::default().start();
    for n in 0..600 {
        running.deliver(n, &line(u128::from(n) + 1, "contoso", "Low", 0, &json!({})));
    }
    assert_eq!(Stream::open(&running, Some("0-0")).next().name, "gap");
}
