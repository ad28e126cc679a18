//! RFC 5424 over UDP, TCP (octet counting, RFC 6587) and TLS (RFC 5425).
//!
//! TCP tells nobody that a message arrived. So a delivery is one connection that is closed towards
//! the receiver, and counts once the receiver closed its end or stayed silent; a reset counts as a
//! failure.
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::super::line::Line;
use super::super::notice::{Event, Notice};
use super::super::say;
use super::super::settings::{SyslogTarget, Transport};
use super::super::{SendError, Sent, Sink, Takes};
use crate::alert::formats::PRODUCT;
use crate::alert::words::clean;
use crate::detect::Severity;
use crate::time::Timestamp;

/// Messages of one connection.
const MESSAGES_MAX: usize = 64;
/// Longest message by UDP, bytes: what one datagram takes.
const DATAGRAM_MAX: usize = 60_000;
/// How long the receiver is given to close its end.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Structured data of ours; 32473 is the number that RFC 5612 sets aside for such use.
const SD_ID: &str = "alert@32473";

/// A collector.
pub struct Syslog {
    target: SyslogTarget,
    timeout: Duration,
    tls: Option<Arc<ClientConfig>>,
}

impl Syslog {
    /// The sink that `target` describes.
    ///
    /// # Errors
    /// The authorities cannot be read.
    pub fn new(target: &SyslogTarget, timeout: u32) -> Result<Syslog, String> {
        let tls = match target.transport {
            Transport::Tls => Some(tls(target.ca_file.as_deref())?),
            Transport::Udp | Transport::Tcp => None,
        };
        let timeout = Duration::from_secs(u64::from(timeout));
        Ok(Syslog { target: target.clone(), timeout, tls })
    }

    fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = self.target.address.to_socket_addrs()?.collect();
        if found.is_empty() { Err(io::Error::other("the host is not known")) } else { Ok(found) }
    }

    fn datagram(&self, message: &str) -> io::Result<()> {
        let mut last = io::Error::other("the host is not known");
        for address in self.addresses()? {
            let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let sent = UdpSocket::bind(own).and_then(|socket| {
                socket.connect(address)?;
                socket.send(message.as_bytes())
            });
            match sent {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::other("the host is not known");
        for address in self.addresses()? {
            match TcpStream::connect_timeout(&address, self.timeout) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(self.timeout))?;
                    stream.set_write_timeout(Some(self.timeout))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn stream(&self, frames: &[u8]) -> io::Result<()> {
        let mut tcp = self.connect()?;
        let Some(config) = &self.tls else {
            tcp.write_all(frames)?;
            return closed(&mut tcp);
        };
        let host = self.target.address.rsplit_once(':').map_or("", |(host, _)| host);
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        rustls::Stream::new(&mut tls, &mut tcp).write_all(frames)?;
        tls.send_close_notify();
        while tls.wants_write() {
            tls.write_tls(&mut tcp)?;
        }
        closed(&mut tcp)
    }
}

/// Closes our end and waits for the other one's.
fn closed(tcp: &mut TcpStream) -> io::Result<()> {
    tcp.shutdown(Shutdown::Write)?;
    tcp.set_read_timeout(Some(CLOSE_WAIT))?;
    let mut rest = [0; 256];
    // What a receiver says is not for us; that it says so much is no reason to listen for ever.
    for _ in 0..64 {
        match tcp.read(&mut rest) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return Ok(());
            }
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

impl Sink for Syslog {
    fn takes(&self) -> Takes {
        match self.target.transport {
            Transport::Udp => Takes::One,
            Transport::Tcp | Transport::Tls => Takes::Many(MESSAGES_MAX),
        }
    }

    fn send(&mut self, notices: &[&Notice], _: Timestamp) -> Sent {
        let failed = |cause: io::Error| SendError::later(format!("no delivery: {cause}"));
        let (mut frames, mut count, mut refused) = (Vec::new(), 0, None);
        for notice in notices {
            let message = match message(notice, &self.target) {
                Ok(message) => message,
                Err(why) => {
                    refused = Some(SendError::Refused(why));
                    break;
                }
            };
            if self.target.transport == Transport::Udp {
                if message.len() > DATAGRAM_MAX {
                    let why = "larger than a datagram; use transport = \"tcp\" or \"tls\"";
                    refused = Some(SendError::Refused(why.to_owned()));
                    break;
                }
                if let Err(cause) = self.datagram(&message) {
                    return Sent { delivered: count, error: Some(failed(cause)) };
                }
            } else {
                frames.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
            }
            count += 1;
        }
        if !frames.is_empty()
            && let Err(cause) = self.stream(&frames)
        {
            return Sent { delivered: 0, error: Some(failed(cause)) };
        }
        Sent { delivered: count, error: refused }
    }
}

/// The whole message; there is no byte-order mark, since readers of CEF stumble over it (MSG-ANY).
fn message(notice: &Notice, target: &SyslogTarget) -> Result<String, String> {
    let line = match &notice.event {
        Event::Alert { line, .. } => Line::parse(line),
        _ => None,
    };
    let level = match line.as_ref().map(Line::severity) {
        Some(Severity::High) => 2,
        Some(Severity::Medium) => 4,
        Some(Severity::Low) => 5,
        None => 6,
    };
    let priority = u32::from(target.facility) * 8 + level;
    let at = line.as_ref().map_or(notice.queued(), |line| line.time("timeGeneratedUtc"));
    let host = if target.hostname.is_empty() { "-" } else { &target.hostname };
    let id = match notice.event {
        Event::Alert { .. } => "ALERT",
        Event::Digest(_) => "DIGEST",
        Event::Heartbeat(_) => "HEARTBEAT",
        Event::Silence(_) => "SILENCE",
    };
    let data = line.as_ref().map_or("-".to_owned(), |line| structured(line, notice));
    let body = say::message(notice, target.format.0)?;
    Ok(format!("<{priority}>1 {at} {host} {PRODUCT} - {id} {data} {body}"))
}

fn structured(line: &Line, notice: &Notice) -> String {
    let fields = [
        ("id", line.id()),
        ("key", notice.key.as_str()),
        ("event", notice.word()),
        ("type", line.kind()),
        ("severity", line.severity().as_str()),
        ("account", line.account()),
        ("src", line.extended("Client IP")),
    ];
    let mut out = format!("[{SD_ID}");
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        out.push_str(&format!(" {name}=\"{}\"", escaped(value)));
    }
    out.push(']');
    out
}

/// `"`, `\` and `]` escaped (RFC 5424, 6.3.3); what would be obeyed is seen.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in clean(value).chars() {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Trusts the authorities in `ca_file`, else those that browsers trust.
fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unreadable =
                |e: &dyn std::fmt::Display| format!("{} cannot be read: {e}", path.display());
            let found = CertificateDer::pem_file_iter(path).map_err(|e| unreadable(&e))?;
            for certificate in found {
                let certificate = certificate.map_err(|e| unreadable(&e))?;
                roots.add(certificate).map_err(|e| unreadable(&e))?;
            }
            if roots.is_empty() {
                return Err(format!("{} holds no certificate in PEM form", path.display()));
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("TLS: {e}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
