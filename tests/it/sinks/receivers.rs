//! Receivers on loopback addresses: each keeps what it was sent.
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};

use crate::support::fixture;

/// One HTTP request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

/// Status line's code, further headers, body.
pub type Reply = (u16, String, String);

#[derive(Clone)]
pub struct Http {
    pub port: u16,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Http {
    /// Answers request number n, from 0, with `reply(n, request)`.
    pub fn start(reply: impl Fn(usize, &Request) -> Reply + Send + 'static) -> Http {
        Http::at(0, reply)
    }
    pub fn at(port: u16, reply: impl Fn(usize, &Request) -> Reply + Send + 'static) -> Http {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let http = Http { port: listener.local_addr().unwrap().port(), seen: Arc::default() };
        let seen = Arc::clone(&http.seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(request) = request(&stream) else { continue };
                let number = seen.lock().unwrap().len();
                let (status, headers, body) = reply(number, &request);
                // Noted before it is answered: who was told sees it.
                seen.lock().unwrap().push(request);
                let head = format!(
                    "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
                    body.len()
                );
                let _ = (&stream).write_all((head + &body).as_bytes());
            }
        });
        http
    }
    pub fn ok() -> Http {
        Http::start(|_, _| (200, String::new(), "ok".to_owned()))
    }
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/in", self.port)
    }
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_owned(), value.to_owned()));
    }
    let mut request = Request { path, headers, body: Vec::new() };
    let length: usize = request.header("content-length").parse().unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// What came by syslog, a message each.
#[derive(Clone)]
pub struct Collector {
    pub port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Collector {
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub fn udp() -> Collector {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let collector = Collector { port, seen: Arc::default() };
        let seen = Arc::clone(&collector.seen);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while let Ok((length, _)) = socket.recv_from(&mut buffer) {
                let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
                seen.lock().unwrap().push(text);
            }
        });
        collector
    }

    pub fn tcp() -> Collector {
        Collector::streams(|stream| {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).ok().map(|_| bytes)
        })
    }

    pub fn tls() -> Collector {
        let certificates = CertificateDer::pem_file_iter(fixture("tls/server.pem")).unwrap();
        let certificates: Vec<_> = certificates.map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(fixture("tls/server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .unwrap();
        let config = Arc::new(config);
        Collector::streams(move |stream| {
            let mut tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut bytes = Vec::new();
            rustls::Stream::new(&mut tls, stream).read_to_end(&mut bytes).ok().map(|_| bytes)
        })
    }

    fn streams(read: impl Fn(&mut TcpStream) -> Option<Vec<u8>> + Send + 'static) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let collector = Collector { port, seen: Arc::default() };
        let seen = Arc::clone(&collector.seen);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if let Some(bytes) = read(&mut stream) {
                    seen.lock().unwrap().extend(frames(&bytes));
                }
            }
        });
        collector
    }
}

/// Octet counting: `LENGTH SP MESSAGE`, over and over, and nothing else.
fn frames(mut bytes: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|b| *b == b' ').expect("a length");
        let length = std::str::from_utf8(&bytes[..space]).unwrap();
        assert!(!length.starts_with('0'), "a length has no leading zero: {length}");
        let length: usize = length.parse().unwrap();
        let end = space + 1 + length;
        out.push(String::from_utf8(bytes[space + 1..end].to_vec()).unwrap());
        bytes = &bytes[end..];
    }
    out
}
