//! abuse.ch CSV exports: comment lines with `#`, a header (sometimes itself behind a `#`), rows.
//! Feodo Tracker, SSLBL and ThreatFox name their columns differently; all are read by name.
use super::collect::{Collector, ParseError, Parsed, Validity, parse_network, shown, text};
use super::onionoo::without_port;
use super::tor_exit_addresses::feed_time;
use crate::time::{DAY_MS, Timestamp};

/// A command server that went silent stays on abuse.ch's own blocklist for 30 days.
const AFTER_MS: i64 = 30 * DAY_MS;

/// Where the columns of interest are.
struct Columns {
    address: usize,
    first_seen: Option<usize>,
    last_seen: Option<usize>,
    status: Option<usize>,
    confidence: Option<usize>,
}

/// The columns, if `header` is one of abuse.ch's.
fn columns(header: &csv::StringRecord) -> Option<Columns> {
    let find = |names: &[&str]| {
        header.iter().position(|name| {
            let name = name.trim_matches(['#', ' ', '"']).to_ascii_lowercase();
            names.contains(&name.as_str())
        })
    };
    Some(Columns {
        address: find(&["dst_ip", "dstip", "ioc_value", "ip", "ip_address"])?,
        first_seen: find(&["first_seen_utc", "first_seen", "firstseen"]),
        last_seen: find(&["last_online", "last_seen_utc", "last_seen", "lastseen"]),
        status: find(&["c2_status", "status"]),
        confidence: find(&["confidence_level", "confidence"]),
    })
}

/// The columns, if `line` is such a header. A commented one must be sure not to be prose.
fn header(line: &str) -> Option<Columns> {
    let row = reader(line, None).records().next()?.ok()?;
    let columns = columns(&row).filter(|_| row.len() > 1)?;
    (!line.starts_with('#') || columns.first_seen.is_some()).then_some(columns)
}

/// Whether `line` is a header of such a file.
pub(crate) fn is_header(line: &str) -> bool {
    header(line).is_some()
}

fn reader(text: &str, comment: Option<u8>) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(comment)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes())
}

/// Parses `bytes`. An entry is valid from its first sighting; until 30 days after the last one
/// where the feed gives it and does not call the server online now.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    let mut collector = Collector::default();
    let (lines_before, columns, rows) = split_at_header(text(bytes)?)?;
    for row in reader(rows, Some(b'#')).records() {
        let row = row.map_err(|e| {
            let line = e.position().map_or(0, |p| usize::try_from(p.line()).unwrap_or(0));
            ParseError::at(lines_before + line, "not a row of CSV")
        })?;
        let line = row.position().map_or(0, |p| usize::try_from(p.line()).unwrap_or(0));
        add_row(&mut collector, lines_before + line, &columns, &row)?;
    }
    Ok(collector.finish())
}

/// Lines up to and with the header, its columns, and the text after it.
fn split_at_header(text: &str) -> Result<(usize, Columns, &str), ParseError> {
    let mut rest = text;
    for number in 1.. {
        if rest.is_empty() {
            break;
        }
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let line = line.trim();
        if let Some(columns) = header(line) {
            return Ok((number, columns, after));
        }
        if !line.is_empty() && !line.starts_with('#') {
            return Err(ParseError::at(number, "a row before any header with an address column"));
        }
        rest = after;
    }
    Err(ParseError::at(1, "no header with an address column"))
}

fn add_row(
    collector: &mut Collector,
    number: usize,
    columns: &Columns,
    row: &csv::StringRecord,
) -> Result<(), ParseError> {
    let field = |at: Option<usize>| at.and_then(|at| row.get(at)).filter(|text| !text.is_empty());
    let address = field(Some(columns.address))
        .ok_or_else(|| ParseError::at(number, "a row without an address"))?;
    let Some(network) = parse_network(without_port(address)) else {
        // ThreatFox mixes domains, URLs and hashes into the same column.
        if address.contains(|c: char| c.is_ascii_alphabetic()) {
            collector.unsupported();
            return Ok(());
        }
        let reason = format!("`{}` is not an address", shown(address));
        return Err(ParseError::at(number, reason));
    };
    let first = time(number, field(columns.first_seen))?;
    let last = time(number, field(columns.last_seen))?;
    collector.saw(first.max(last));
    let online = field(columns.status).is_some_and(|s| s.eq_ignore_ascii_case("online"));
    let until = last.filter(|_| !online).map(|last| last.max(first.unwrap_or(last)));
    let confidence = field(columns.confidence).and_then(|text| text.parse().ok());
    let validity = Validity {
        since: first,
        until: until.map(|last| last.plus_ms(AFTER_MS)),
        confidence: confidence.map(|c: u8| c.min(100)),
    };
    collector.add(number, network, validity)
}

fn time(line: usize, text: Option<&str>) -> Result<Option<Timestamp>, ParseError> {
    let Some(text) = text.filter(|text| !text.eq_ignore_ascii_case("none")) else {
        return Ok(None);
    };
    let wrong = || ParseError::at(line, format!("`{}` is not a time in UTC", shown(text)));
    feed_time(text).map(Some).ok_or_else(wrong)
}
