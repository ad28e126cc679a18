//! Texts of queries are read where records are decoded, and go no further.
use std::collections::HashMap;
use std::sync::Arc;

use crate::command_text::CommandReader;
use crate::cosmos_sql::Reader;
use crate::event::{Body, Event, QueryLanguage, QueryRead, QueryText};

/// Texts whose reading is remembered by one thread: applications send the same ones over and over.
const REMEMBERED_MAX: usize = 4096;

/// Reads texts, and remembers what they say by a hash of their bytes.
#[derive(Default)]
pub struct TextReader {
    reader: Reader,
    commands: CommandReader,
    remembered: HashMap<u128, Arc<QueryRead>>,
}

impl TextReader {
    /// Takes the text out of `event`, and says what it says.
    pub fn take(&mut self, event: &mut Event) -> Option<Arc<QueryRead>> {
        let (language, text) = match &mut event.body {
            Body::Query(run) => {
                (QueryLanguage::Sql, std::mem::replace(&mut run.text, QueryText::Absent))
            }
            Body::Request(request) => {
                let language = request.category.command_language()?;
                (language, std::mem::replace(&mut request.command, QueryText::Absent))
            }
            _ => return None,
        };
        match text {
            QueryText::Parsed(text) => Some(self.read(language, &text)),
            // Cut off or broken by what carried it: what it said cannot be told from what it was.
            QueryText::Absent | QueryText::Raw(_) => None,
        }
    }

    fn read(&mut self, language: QueryLanguage, text: &str) -> Arc<QueryRead> {
        let key = xxhash_rust::xxh3::xxh3_128_with_seed(text.as_bytes(), language as u64);
        if let Some(known) = self.remembered.get(&key) {
            return Arc::clone(known);
        }
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.clear();
        }
        let read = Arc::new(match language {
            QueryLanguage::Sql => self.reader.read(text),
            _ => self.commands.read(language, text),
        });
        self.remembered.insert(key, Arc::clone(&read));
        read
    }
}
