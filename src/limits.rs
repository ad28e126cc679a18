//! Every named bound of the program, with its why. All input is hostile until decoded.

/// Longest record that is decoded, bytes. Azure caps a resource-log record at about 1 MiB; four
/// times that leaves room for escaped query text.
pub const RECORD_BYTES_MAX: usize = 4 << 20;
/// Deepest JSON nesting that is decoded. Azure's own records reach 6.
pub const JSON_DEPTH_MAX: usize = 64;
/// Longest path or other string kept from a record, bytes; longer ones are cut at a character.
pub const STRING_BYTES_MAX: usize = 1024;
/// Longest user agent kept, bytes.
pub const USER_AGENT_BYTES_MAX: usize = 256;
/// Longest query text that is looked at, bytes. Cosmos DB's own limit is 512 KiB.
pub const QUERY_TEXT_BYTES_MAX: usize = 512 << 10;
/// Distinct strings that one decoder's interner keeps before it starts afresh.
pub const INTERNER_ENTRIES_MAX: usize = 65_536;
/// Refused records kept in `refused.jsonl`; beyond it they are counted only.
pub const REFUSED_KEPT_MAX: usize = 10_000;
/// Bytes of `refused.jsonl` over all runs; beyond it refused records are counted only.
pub const REFUSED_FILE_BYTES_MAX: u64 = 64 << 20;
/// Bytes kept of one refused record.
pub const REFUSED_BYTES_MAX: usize = 4096;
/// Longest redacted form of a record, bytes: Azure's own have 1 to 2 KB.
pub const REDACTED_BYTES_MAX: usize = 8192;
/// Largest feed file that is read, bytes; the largest published ones have a few MiB.
pub const FEED_BYTES_MAX: usize = 64 << 20;
/// Most entries of one feed: twenty times the largest published one, 100 MB of memory.
pub const FEED_ENTRIES_MAX: usize = 2_000_000;
/// Files open at once while a blob layout is read, so that `ulimit -n 256` is enough.
pub const BLOB_FILES_OPEN_MAX: usize = 64;
/// Files open at once in a k-way merge; beyond it the merge takes several passes.
pub const MERGE_FILES_OPEN_MAX: usize = 256;
/// Largest batch that an inbox takes, bytes after decompression: the largest posts of common log
/// shippers have 10 MB, and a reader holds one whole before it believes it.
pub const INBOX_BATCH_BYTES_MAX: usize = 16 << 20;
/// Bytes of batches that wait for an inbox to write them; they are in memory.
pub const INBOX_WAITING_BYTES_MAX: usize = 64 << 20;
/// A segment of an inbox is left for the next one beyond this, bytes. Space is given back by the
/// segment.
pub const INBOX_SEGMENT_BYTES: u64 = 64 << 20;
/// Bytes that an inbox keeps unless told otherwise: what one node reads in some seconds, and what
/// a sender may run ahead of it.
pub const INBOX_BYTES_MAX: u64 = 1 << 30;
/// Records decoded, routed and grouped by account at a time. Real traffic needs this many to
/// give batches that amortise an actor hop.
pub const CHUNK_RECORDS: usize = 16_384;
/// Bytes of one chunk, so that large records do not make large chunks.
pub const CHUNK_BYTES: usize = 32 << 20;
/// Messages an account actor queues; more makes the router wait.
pub const MAILBOX_MESSAGES: usize = 16;
/// Minutes of one cell of an account: the step at which volume is tested.
pub const CELL_MINUTES: i64 = 10;
/// Distinct callers kept exactly in one cell, listed addresses first; the rest are pooled by
/// network, client and credential.
pub const CELL_CALLERS_MAX: usize = 6;
/// Pools kept in one cell; requests of the rest are counted only.
pub const CELL_NETWORKS_MAX: usize = 3;
/// Distinct databases, containers, agents … kept in one caller row: the smallest ones, which is
/// independent of arrival order.
pub const ROW_NAMES_MAX: usize = 3;
/// Distinct statuses kept in one caller row: the smallest ones.
pub const ROW_STATUSES_MAX: usize = 4;
/// Places of records kept in one caller row, besides those of its first and last.
pub const ROW_PLACES_MAX: usize = 2;
/// Places of representative records kept of an alert, besides those of its first and last.
pub const RECORDS_SAMPLED_MAX: usize = 20;
/// Finished key operations kept in one cell of an account: the smallest by (time, digest).
pub const CELL_KEY_OPERATIONS_MAX: usize = 6;
/// Shapes of queries kept in one cell that the account does not know: odd ones first.
pub const CELL_QUERIES_MAX: usize = 4;
/// Known shapes that one cell counts: the ones of smallest hash.
pub const CELL_KNOWN_QUERIES_MAX: usize = 48;
/// Requests kept in one cell to be joined with the texts of their queries: those of strangers first,
/// then those of smallest hash.
pub const CELL_ANSWERS_MAX: usize = 64;
/// Malformed ones among them.
pub const CELL_REFUSALS_MAX: usize = 24;
/// Callers and containers of malformed requests kept in one cell.
pub const CELL_FAILURES_MAX: usize = 4;
/// Bytes for the shapes of queries that one account remembers.
pub const QUERY_SHAPES_BYTES_MAX: usize = 48 << 10;
/// Activity ids kept of one shape in one cell.
pub const QUERY_ACTIVITIES_MAX: usize = 4;
/// Distinct request lengths kept of one caller's malformed requests: the smallest ones.
pub const FAILURE_LENGTHS_MAX: usize = 6;
/// Addresses of malformed requests kept of an hour: enough to see that they are several.
pub const FAILURE_ADDRESSES_MAX: usize = 6;
/// Distinct places of syntax errors kept of one container.
pub const ERROR_PLACES_MAX: usize = 6;

/// Cells that an account may have open: an hour, which is how blobs arrive, the lateness, and one
/// more at each end where these do not start and stop at a cell.
pub const fn open_cells_max(lateness_minutes: i64) -> usize {
    let minutes = 60 + if lateness_minutes > 0 { lateness_minutes } else { 0 };
    (minutes / CELL_MINUTES) as usize + 2
}

/// The default lateness, for which [`ACCOUNT_BYTES_MAX`] holds.
pub const LATENESS_MINUTES: i64 = 15;
/// Hard bound of one awake account's model, bytes, whatever it is sent. It is the sum of the bounds
/// of all that a model holds, and a build in which the sum is larger does not compile:
///
/// | what | at most | bytes |
/// |---|---|---|
/// | the model itself | | 3,072 |
/// | open cells | 9 at the default lateness | 2,088 |
/// | their callers, pools and key operations | 9 × (6 + 3 and 6) | 54,216 |
/// | egress | rings, seasons, two histograms, 4 heavy callers | 29,508 |
/// | places | 40 areas, 64 networks, 64 combinations, … | 18,960 |
/// | principals | 11, and a newcomer | 17,760 |
/// | listed addresses, tempo, recent kinds | | 6,016 |
/// | shapes of queries, and their failures | 512, tokens and templates of 128 of them, what one cell leaves for the next | 73,896 |
/// | queries of open cells | 9 × (4 odd ones, 48 known ones, 64 answers, 4 failures) | 130,896 |
/// | together | of 344,064 | 336,412 |
/// | without texts of queries | the last two are not there | 131,620 |
///
/// What gives way first: in a cell, callers are pooled by network, client and credential (never a
/// listed address before an ordinary one), then pools are counted only, then names beyond a row's
/// smallest are dropped, then key operations beyond the first; minutes that lie beyond the last
/// open cell are judged at once; in a baseline, what is least used gives way to a newcomer. Texts
/// are shared by all that name them and are not counted here.
pub const ACCOUNT_BYTES_MAX: usize = 336 << 10;
/// Panics within [`QUARANTINE_WINDOW_MS`] after which an account is quarantined.
pub const PANICS_BEFORE_QUARANTINE: usize = 3;
/// Window in which panics are counted, milliseconds of the monotonic clock.
pub const QUARANTINE_WINDOW_MS: i64 = 600_000;
/// Digests kept to recognise copies of a record inside the lateness window (two generations).
pub const DIGESTS_MAX: usize = 1 << 20;
/// Events an account applies before the router takes a checkpoint of it in memory, from which a
/// panicking account is rebuilt.
pub const JOURNAL_EVENTS_MAX: usize = 64;
/// Watermark hours without an event after which an idle account is put to sleep.
pub const IDLE_HOURS: i64 = 26;
/// Accounts kept awake; beyond it the least recently active ones without open cells sleep.
pub const AWAKE_ACCOUNTS_MAX: usize = 20_000;
/// Days for which what the population and the tenant publish is kept: a year, which is what a model
/// that is built again from its logs may need, and a month for whoever is late.
pub const PUBLISHED_DAYS: i64 = 400;
/// A record that comes so much later than its time teaches and raises nothing, milliseconds: Azure
/// delivers nothing later than that, so it is a copy of one that was judged, or history out of turn.
pub const LATE_RAISES_MS: i64 = 2 * 86_400_000;
/// Event time between two ticks, milliseconds: when findings, contributions and published values
/// change hands.
pub const TICK_MS: i64 = 3_600_000;
/// The state's files are rewritten when they take more than this many times what they hold: the
/// database keeps superseded pages, and grows to 2.7 to 4.7 times without end.
pub const COMPACT_DISK_PER_LIVE: u64 = 2;
/// Files smaller than this are left alone, bytes: the database's own least size is of this order.
pub const COMPACT_BYTES_MIN: u64 = 16 << 20;
/// Bytes written between two flushes while state is rewritten. The database packs what is flushed
/// together: 10 MB take 1.8 times their size at this, 2.6 times at 4 MiB without a flush between.
pub const COMPACT_BATCH_BYTES: usize = 256 << 10;
/// Values or words of one Mongo, Cassandra, Gremlin or Table command that are looked at.
pub const COMMAND_NODES_MAX: usize = 1 << 14;
/// Nesting of a Mongo command that is followed.
pub const COMMAND_DEPTH_MAX: usize = 64;
/// Tokens of one query that are looked at: [`QUERY_TEXT_BYTES_MAX`] as a list of short numbers, in
/// 3 MiB of buffers.
pub const QUERY_TOKENS_MAX: usize = 1 << 18;
/// Deepest nesting of one query that is looked at, calls of the parser and levels of the tree alike.
/// The service's own rewriting puts each further condition one level deeper, and clients generate
/// chains of a hundred; twice that fits in 0.5 MiB of stack.
pub const QUERY_DEPTH_MAX: usize = 256;
/// Sources of one query whose names are told from those of other sources: six times the joins that
/// the service allows.
pub const QUERY_SOURCES_MAX: usize = 64;
/// Longest text of a query's template, bytes; it is shown to people.
pub const TEMPLATE_TEXT_BYTES_MAX: usize = 1024;
/// Longest name in a template's text, bytes; Cosmos DB has properties of any length.
pub const TEMPLATE_NAME_BYTES_MAX: usize = 64;
/// Tokens of a template's sequence: 2 KiB. Longer queries have hashes only.
pub const TEMPLATE_TOKENS_MAX: usize = 1024;
/// Parts of one account's records that may be left out of its model by hand.
pub const LEFT_OUT_PARTS_MAX: usize = 256;
