//! The alert book while the service runs: filled from the store, fed by the engine, and telling
//! whoever listens.
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tokio::sync::broadcast;

use crate::alert::AlertId;
use crate::alert::book::{AlertBook, Decision};
use crate::replay::writer::Listener;
use crate::store::{StateStore, StoreError, keys};

/// News that a slow listener may be behind; one that is further behind is told so.
const NEWS_MAX: usize = 1024;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A line came: its number, and whose.
    Line(u64, AlertId),
    /// Somebody decided.
    Decided(AlertId),
}

/// The book, and who listens.
#[derive(Debug)]
pub struct LiveBook {
    book: RwLock<AlertBook>,
    news: broadcast::Sender<News>,
}

impl Default for LiveBook {
    fn default() -> Self {
        LiveBook { book: RwLock::default(), news: broadcast::channel(NEWS_MAX).0 }
    }
}

/// Number of the line that lies under `key`.
pub(super) fn line_number(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(keys::ALERT)?.try_into().ok()?))
}

impl LiveBook {
    /// All lines that `store` holds.
    ///
    /// # Errors
    /// The store failed.
    pub fn open(store: &dyn StateStore) -> Result<LiveBook, StoreError> {
        let mut book = AlertBook::default();
        store.scan(keys::ALERT, &mut |key, line| {
            if let Some(number) = line_number(key) {
                book.add(number, line);
            }
            true
        })?;
        Ok(LiveBook { book: RwLock::new(book), ..LiveBook::default() })
    }

    /// The book as it is now. To be held shortly: the engine waits for it.
    pub fn read(&self) -> RwLockReadGuard<'_, AlertBook> {
        // An entry is added whole.
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hears of everything from now on.
    pub fn listen(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// Takes in a line.
    pub fn add(&self, number: u64, line: &[u8]) {
        let id = self.book.write().unwrap_or_else(PoisonError::into_inner).add(number, line);
        if let Some(id) = id {
            // Nobody may listen.
            let _ = self.news.send(News::Line(number, id));
        }
    }

    /// Takes in a decision.
    pub fn decide(&self, id: AlertId, decision: Decision) {
        self.book.write().unwrap_or_else(PoisonError::into_inner).decide(id, decision);
        let _ = self.news.send(News::Decided(id));
    }
}

/// Tells a book what the engine delivers.
#[derive(Clone, Debug)]
pub struct Feed(pub Arc<LiveBook>);

impl Listener for Feed {
    fn delivered(&mut self, number: u64, line: &[u8]) {
        self.0.add(number, line);
    }
}
