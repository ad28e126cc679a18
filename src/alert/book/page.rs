//! Filters, order and pages.
use std::fmt;
use std::net::IpAddr;

use super::{AlertBook, Entry, Revision, Status, Words};
use crate::detect::Severity;
use crate::time::Timestamp;

/// Which alerts. Empty lists and absent values let everything pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Named accounts, `name` or `cloud/name`, lower-case.
    pub accounts: Vec<String>,
    /// `alertType`s.
    pub kinds: Vec<String>,
    /// Severities, as they stand as of the page.
    pub severities: Vec<Severity>,
    /// Where they stand now.
    pub statuses: Vec<Status>,
    /// Name or object id of the principal, any case.
    pub principal: Option<String>,
    /// The caller's address.
    pub ip: Option<IpAddr>,
    /// What alerts of one story share.
    pub story: Option<String>,
    /// Alerts that were opened at or after this.
    pub from: Option<Timestamp>,
    /// Alerts that were opened before this.
    pub to: Option<Timestamp>,
    /// Text in title, account or principal, any case.
    pub text: Option<String>,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The one opened last, event time.
    #[default]
    Time,
    /// The gravest: by severity, then the rarest.
    Rank,
}

/// Where an entry stands in an order: smaller comes first. The number makes it unique.
type Key = [u64; 3];

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    order: Order,
    as_of: u64,
    key: Key,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.order == Order::Time { "t" } else { "r" };
        let [a, b, c] = self.key;
        write!(f, "{order}-{:x}-{a:x}-{b:x}-{c:x}", self.as_of)
    }
}

impl Cursor {
    /// Reads one; `None` for what none wrote.
    pub fn parse(text: &str) -> Option<Cursor> {
        let mut parts = text.split('-');
        let order = match parts.next()? {
            "t" => Order::Time,
            "r" => Order::Rank,
            _ => return None,
        };
        let mut number = || {
            let part = parts.next().filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u64::from_str_radix(part, 16).ok()
        };
        let (as_of, key) = (number()?, [number()?, number()?, number()?]);
        parts.next().is_none().then_some(Cursor { order, as_of, key })
    }
    /// The order that it belongs to.
    pub fn order(&self) -> Order {
        self.order
    }
}

/// A question.
pub struct Query<'a> {
    /// Which.
    pub filter: &'a Filter,
    /// What comes first; a cursor has its own.
    pub order: Order,
    /// Go on behind it.
    pub cursor: Option<Cursor>,
    /// Most items.
    pub limit: usize,
    /// Which accounts the asker may see.
    pub sees: &'a dyn Fn(&str) -> bool,
}

/// One alert of a page, as it was as of the page.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The alert.
    pub entry: &'a Entry,
    /// The line that counts.
    pub revision: Revision,
}

/// How many alerts of the whole list have each value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// By `alertType`, ascending.
    pub kinds: Vec<(String, u64)>,
    /// Low, Medium, High.
    pub severities: [u64; 3],
    /// In the order of [`Status::ALL`].
    pub statuses: [u64; 4],
    /// The accounts that most alerts name, descending; one alert may name several.
    pub accounts: Vec<(String, u64)>,
}

/// An answer.
#[derive(Debug)]
pub struct Page<'a> {
    /// The alerts.
    pub items: Vec<Item<'a>>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
    /// Sums over the list.
    pub facets: Facets,
    /// Alerts on the list.
    pub total: usize,
    /// Lines that the answer knows of.
    pub as_of: u64,
}

/// Most accounts among the facets.
const FACET_ACCOUNTS_MAX: usize = 20;

/// A filter with every text compared: one answer a word.
pub(super) struct Compiled<'a> {
    filter: &'a Filter,
    as_of: u64,
    sees: Vec<bool>,
    accounts: Vec<bool>,
    kinds: Vec<bool>,
    principals: Vec<bool>,
    stories: Vec<bool>,
    /// Whether the text stands in title, account, principal.
    text: Option<[Vec<bool>; 3]>,
}

fn is(answers: &[bool], number: u32) -> bool {
    answers.get(number as usize).copied().unwrap_or(false)
}

impl<'a> Compiled<'a> {
    pub(super) fn new(
        book: &AlertBook,
        filter: &'a Filter,
        as_of: u64,
        sees: &dyn Fn(&str) -> bool,
    ) -> Compiled<'a> {
        let listed = |words: &Words, list: &[String]| {
            words.ask(|word| list.is_empty() || list.iter().any(|w| w == word))
        };
        let same = |wanted: &Option<String>, word: &str| {
            wanted.as_deref().is_none_or(|w| w.eq_ignore_ascii_case(word))
        };
        let text = filter.text.as_ref().map(|text| {
            let text = text.to_lowercase();
            let holds = |words: &Words| words.ask(|word| word.to_lowercase().contains(&text));
            [holds(&book.titles), holds(&book.accounts), holds(&book.principals)]
        });
        Compiled {
            filter,
            as_of,
            sees: book.accounts.ask(sees),
            accounts: listed(&book.accounts, &filter.accounts),
            kinds: listed(&book.kinds, &filter.kinds),
            principals: book.principals.ask(|word| same(&filter.principal, word)),
            stories: book.stories.ask(|word| filter.story.as_deref().is_none_or(|s| s == word)),
            text,
        }
    }

    /// The line that counts, if the entry is on the list.
    pub(super) fn admit(&self, entry: &Entry) -> Option<Revision> {
        let revision = entry.seen(self.as_of)?;
        let mut accounts = std::iter::once(entry.account).chain(entry.others.iter().copied());
        let filter = self.filter;
        let opened = entry.first().at;
        let admitted = is(&self.kinds, entry.kind)
            && (filter.severities.is_empty() || filter.severities.contains(&revision.severity))
            && (filter.statuses.is_empty() || filter.statuses.contains(&entry.status()))
            && filter.from.is_none_or(|from| opened >= from)
            && filter.to.is_none_or(|to| opened < to)
            && filter.ip.is_none_or(|ip| entry.ip == Some(ip))
            && (is(&self.principals, entry.principal) || is(&self.principals, entry.principal_id))
            && is(&self.stories, entry.story)
            && accounts.clone().all(|account| is(&self.sees, account))
            && accounts.any(|account| is(&self.accounts, account))
            && self.text.as_ref().is_none_or(|[titles, accounts, principals]| {
                is(titles, entry.title)
                    || is(accounts, entry.account)
                    || is(principals, entry.principal)
                    || is(principals, entry.principal_id)
            });
        admitted.then_some(revision)
    }
}

/// Place of an alert in an order. What it is made of does not change for one `as_of`.
fn key(order: Order, entry: &Entry, revision: &Revision) -> Key {
    let first = entry.first();
    match order {
        // Times as numbers that order the same, newest first.
        Order::Time => [!(first.at.millis() as u64 ^ (1 << 63)), 0, !first.number],
        Order::Rank => {
            let rarity =
                if revision.per_day >= 0.0 { revision.per_day.to_bits() } else { u64::MAX };
            [2 - revision.severity as u64, rarity, !first.number]
        }
    }
}

impl AlertBook {
    /// One page of a list.
    pub fn page(&self, query: &Query<'_>) -> Page<'_> {
        let (order, as_of) = match query.cursor {
            Some(cursor) => (cursor.order, cursor.as_of.min(self.lines)),
            None => (query.order, self.lines),
        };
        let compiled = Compiled::new(self, query.filter, as_of, query.sees);
        let mut counts = Counts::new(self);
        let mut behind: Vec<(Key, Item<'_>)> = Vec::new();
        for entry in &self.entries {
            let Some(revision) = compiled.admit(entry) else { continue };
            counts.add(entry, &revision);
            let key = key(order, entry, &revision);
            if query.cursor.is_none_or(|cursor| key > cursor.key) {
                behind.push((key, Item { entry, revision }));
            }
        }
        let limit = query.limit.max(1);
        let more = behind.len() > limit;
        if more {
            behind.select_nth_unstable_by_key(limit, |(key, _)| *key);
            behind.truncate(limit);
        }
        behind.sort_unstable_by_key(|(key, _)| *key);
        let last = behind.last().map(|(key, _)| Cursor { order, as_of, key: *key });
        let total = counts.total;
        Page {
            items: behind.into_iter().map(|(_, item)| item).collect(),
            next: last.filter(|_| more),
            facets: counts.facets(self),
            total,
            as_of,
        }
    }
}

struct Counts {
    kinds: Vec<u64>,
    accounts: Vec<u64>,
    severities: [u64; 3],
    statuses: [u64; 4],
    total: usize,
}

impl Counts {
    fn new(book: &AlertBook) -> Counts {
        Counts {
            kinds: vec![0; book.kinds.texts.len()],
            accounts: vec![0; book.accounts.texts.len()],
            severities: [0; 3],
            statuses: [0; 4],
            total: 0,
        }
    }

    fn add(&mut self, entry: &Entry, revision: &Revision) {
        self.total += 1;
        self.kinds[entry.kind as usize] += 1;
        for account in std::iter::once(entry.account).chain(entry.others.iter().copied()) {
            self.accounts[account as usize] += 1;
        }
        self.severities[revision.severity as usize] += 1;
        self.statuses[entry.status() as usize] += 1;
    }

    fn facets(self, book: &AlertBook) -> Facets {
        let named = |words: &Words, counts: &[u64]| -> Vec<(u64, u32)> {
            let all = counts.iter().zip(0_u32..).filter(|(n, _)| **n > 0);
            let mut all: Vec<(u64, u32)> = all.map(|(n, at)| (*n, at)).collect();
            all.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| words.text(a.1).cmp(words.text(b.1))));
            all
        };
        let texts = |words: &Words, list: &[(u64, u32)]| -> Vec<(String, u64)> {
            list.iter().map(|(n, at)| (words.text(*at).to_owned(), *n)).collect()
        };
        let mut kinds = texts(&book.kinds, &named(&book.kinds, &self.kinds));
        kinds.sort();
        let mut accounts = named(&book.accounts, &self.accounts);
        accounts.truncate(FACET_ACCOUNTS_MAX);
        Facets {
            kinds,
            severities: self.severities,
            statuses: self.statuses,
            accounts: texts(&book.accounts, &accounts),
        }
    }
}
