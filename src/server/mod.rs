//! The HTTP API of the service.
//!
//! Runs beside the engine on its own thread with its own actix system, and changes nothing that the
//! engine owns: records go into the inbox, questions to its desk, status is read off its board, and
//! alerts and models are read from the store. What it adds is who may ask ([`tokens`]), what people
//! decide of alerts ([`book`], [`decisions`]), and the words of HTTP ([`problem`]).
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::dev::ServerHandle as Handle;
use actix_web::{App, HttpServer, web};
use anyhow::{Context as _, bail};
use tokio::sync::{Semaphore, watch};

use crate::alert::sinks::dispatch::Dispatcher;
use crate::config::{Resolved, ServerConfig};
use crate::live::ask::Desk;
use crate::live::board::Board;
use crate::source::inbox::Inbox;
use crate::store::StateStore;
use crate::time::{Clock, Timestamp};

mod api;
mod body;
pub mod book;
pub mod decisions;
mod gate;
pub mod openapi;
pub mod problem;
mod rate;
mod tls;
pub mod tokens;

use book::LiveBook;

/// What the server shares with the rest of the service.
#[derive(Clone)]
pub struct Shared {
    /// Where the engine is asked.
    pub desk: Desk,
    /// What the engine shows.
    pub board: Arc<Board>,
    /// Where models and alert lines lie.
    pub store: Arc<dyn StateStore>,
    /// Where records go; `None`: the service takes none over HTTP.
    pub inbox: Option<Arc<Inbox>>,
    /// All alerts.
    pub book: Arc<LiveBook>,
    /// Where alerts are sent; `None`: nowhere.
    pub sinks: Option<Arc<Dispatcher>>,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The settings.
    pub config: Arc<Resolved>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Where and how it listens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Address and port; port 0 takes any.
    pub listen: SocketAddr,
    /// Listen beyond this machine without TLS, although everybody on the way can read along.
    pub insecure_listen: bool,
    /// `[server]`.
    pub server: ServerConfig,
    /// A client that has not sent its head after this is let go; usually [`HEAD_PATIENCE`].
    pub head_patience: Duration,
}

/// Batches that are unpacked at a time; each may take a few times the largest batch of memory.
const UNPACKING_MAX: usize = 8;
/// Seconds that open requests get when the server stops.
const STOP_SECONDS: u64 = 5;
/// A client that has not sent its head after this is let go.
pub const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// An idle connection is closed after this.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Threads that wait for the disk, each worker.
const BLOCKING_THREADS: usize = 64;

/// What handlers work with.
pub(crate) struct Service {
    shared: Shared,
    keyring: tokens::Keyring,
    /// Nobody beyond this machine can ask.
    is_local: bool,
    is_tls: bool,
    require_token: bool,
    rates: rate::Rates,
    /// Wrong tokens, by address.
    failures: rate::Rates,
    unpacking: Semaphore,
    /// Whoever reads all alerts for one answer: they are many.
    scanning: Semaphore,
    streams: Arc<Semaphore>,
    undo: decisions::Undo,
    accounts: Mutex<api::accounts::Known>,
    snapshot: tokio::sync::Mutex<()>,
    stopping: watch::Receiver<bool>,
    started: Timestamp,
}

/// A server that runs.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    handle: Handle,
    stopping: watch::Sender<bool>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl ServerHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, ends the open ones, and returns when they are answered or their time
    /// is over.
    ///
    /// # Errors
    /// The server had ended by itself.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.end()
    }

    fn end(&mut self) -> anyhow::Result<()> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let _ = self.stopping.send(true);
        // The order is given when it is called; what it returns only waits for the end.
        drop(self.handle.stop(true));
        match thread.join() {
            Ok(ended) => ended.context("the HTTP server ended"),
            Err(_) => bail!("the HTTP server panicked"),
        }
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        // Whoever wants to know calls `stop`.
        let _ = self.end();
    }
}

/// Listens and answers until it is stopped.
///
/// # Errors
/// The address is taken or reaches beyond this machine without TLS; certificates cannot be used;
/// the audit log cannot be read.
pub fn start(shared: Shared, settings: &Settings) -> anyhow::Result<ServerHandle> {
    let Settings { listen, insecure_listen, server, head_patience } = settings;
    let tls = tls::load(&server.tls)?;
    if !listen.ip().is_loopback() && tls.is_none() && !insecure_listen {
        bail!(
            "`{listen}` reaches beyond this machine and there is no TLS: set [server.tls] cert and key, listen on 127.0.0.1, or say --insecure-listen"
        );
    }
    decisions::load(&shared)?;
    let socket = TcpListener::bind(listen)
        .with_context(|| format!("cannot listen on {listen}; name another with --listen"))?;
    let address = socket.local_addr()?;
    let (stopping, watched) = watch::channel(false);
    let service = web::Data::new(Service {
        keyring: tokens::Keyring::of(&shared.data_dir),
        is_local: listen.ip().is_loopback(),
        is_tls: tls.is_some(),
        require_token: server.require_token,
        rates: rate::Rates::new(server.requests_per_second, server.burst),
        failures: rate::Rates::new(0.2, 20.0),
        unpacking: Semaphore::new(UNPACKING_MAX),
        scanning: Semaphore::new(1),
        streams: Arc::new(Semaphore::new(api::stream::SUBSCRIBERS_MAX)),
        undo: decisions::Undo::default(),
        accounts: Mutex::default(),
        snapshot: tokio::sync::Mutex::new(()),
        stopping: watched,
        started: shared.clock.now(),
        shared,
    });
    let (told, heard) = std::sync::mpsc::channel();
    let (server, head_patience) = (server.clone(), *head_patience);
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        actix_web::rt::System::new().block_on(async move {
            let running = serve(socket, tls, (&server, head_patience), service)?;
            let _ = told.send(running.handle());
            running.await
        })
    })?;
    let Ok(handle) = heard.recv() else {
        match thread.join() {
            Ok(ended) => ended.context("the HTTP server did not start")?,
            Err(_) => bail!("the HTTP server panicked"),
        }
        bail!("the HTTP server did not start");
    };
    Ok(ServerHandle { address, handle, stopping, thread: Some(thread) })
}

fn serve(
    socket: TcpListener,
    tls: Option<rustls::ServerConfig>,
    (config, head_patience): (&ServerConfig, Duration),
    service: web::Data<Service>,
) -> std::io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(service.clone())
            .wrap(actix_web::middleware::from_fn(gate::gate))
            .configure(api::routes)
    })
    .workers(config.workers)
    .max_connections(config.connections)
    .worker_max_blocking_threads(BLOCKING_THREADS)
    .client_request_timeout(head_patience)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(STOP_SECONDS)
    .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(socket, tls)?,
        None => server.listen(socket)?,
    };
    Ok(server.run())
}
