//! A fleet on disk: the layout that Azure's diagnostic settings write to a storage account.
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::time::Timestamp;

use super::record::civil;
use super::stream::{Item, Log, records};
use super::{Fleet, labels_json};

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records of each log.
    pub data_plane: u64,
    /// Rows of query run-time statistics.
    pub queries: u64,
    /// Records of the Activity log.
    pub activity: u64,
    /// Bytes of records, line ends included.
    pub bytes: u64,
    /// Blobs.
    pub files: u64,
}

impl Summary {
    /// All records.
    pub fn records(&self) -> u64 {
        self.data_plane + self.queries + self.activity
    }
    fn count(&mut self, item: &Item) {
        match item.log {
            Log::DataPlane(_) => self.data_plane += 1,
            Log::Queries(_) => self.queries += 1,
            Log::Activity(_) => self.activity += 1,
        }
        self.bytes += item.bytes.len() as u64 + 1;
    }
}

/// Path of the blob that holds `log` in the hour of arrival.
fn blob(fleet: &Fleet, log: Log, hour: i64) -> PathBuf {
    let at = Timestamp::of_hour(hour);
    let (y, m, d) = civil(at.day());
    let (container, resource) = match log {
        Log::DataPlane(a) => ("insights-logs-dataplanerequests", fleet.arm_id(a as usize)),
        Log::Queries(a) => ("insights-logs-queryruntimestatistics", fleet.arm_id(a as usize)),
        Log::Activity(s) => (
            "insights-activity-logs",
            format!("/subscriptions/{}", fleet.subscriptions[s as usize].id_text),
        ),
    };
    let resource = resource.to_ascii_uppercase();
    PathBuf::from(format!(
        "{container}/resourceId={resource}/y={y:04}/m={m:02}/d={d:02}/h={:02}/m=00/PT1H.json",
        at.hour_of_day()
    ))
}

/// Writes the blob layout, `labels.json`, `tor-exits.txt`, `threat-ips.txt` and `README.md` under
/// `out`, which must be new or empty so that no blob of another fleet mixes in. `progress` is told
/// after each hour of arrival how many records have been written, and the share done (0–1).
///
/// # Errors
/// When `out` is not empty, or a file cannot be written; the error names the path.
pub fn write_azure(
    fleet: &Fleet,
    out: &Path,
    mut progress: impl FnMut(u64, f64),
) -> io::Result<Summary> {
    let about =
        |path: &Path, e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    fs::create_dir_all(out).map_err(|e| about(out, e))?;
    if fs::read_dir(out).map_err(|e| about(out, e))?.next().is_some() {
        let text = format!("{} is not empty; give a new folder", out.display());
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    let put = |path: PathBuf, bytes: &[u8]| {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|e| about(parent, e))?;
        }
        fs::write(&path, bytes).map_err(|e| about(&path, e))
    };
    let mut summary = Summary::default();
    let mut buffers: BTreeMap<Log, Vec<u8>> = BTreeMap::new();
    let (first, span) = (fleet.options.start.hour(), f64::from(fleet.options.days.max(1)) * 24.0);
    let mut hour = first;
    let mut stream = records(fleet);
    loop {
        let item = stream.next_item();
        let arrived = item.as_ref().map_or(i64::MAX, |i| i.arrival.hour());
        if arrived > hour {
            for (log, buffer) in buffers.iter_mut().filter(|b| !b.1.is_empty()) {
                put(out.join(blob(fleet, *log, hour)), buffer)?;
                summary.files += 1;
                buffer.clear();
            }
            progress(summary.records(), ((hour - first) as f64 / span).min(1.0));
            hour = arrived;
        }
        let Some(item) = item else { break };
        summary.count(&item);
        let buffer = buffers.entry(item.log).or_default();
        buffer.extend_from_slice(&item.bytes);
        buffer.push(b'\n');
    }
    put(out.join("labels.json"), labels_json(fleet).as_bytes())?;
    put(out.join("tor-exits.txt"), fleet.tor_exits_text().as_bytes())?;
    put(out.join("threat-ips.txt"), fleet.threat_ips_text().as_bytes())?;
    put(out.join("README.md"), readme(fleet, &summary).as_bytes())?;
    Ok(summary)
}

/// Writes all records in order of arrival as JSON Lines.
///
/// # Errors
/// When `out` refuses.
pub fn write_jsonl(fleet: &Fleet, out: &mut impl Write) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let mut stream = records(fleet);
    while let Some(item) = stream.next_item() {
        summary.count(&item);
        out.write_all(&item.bytes)?;
        out.write_all(b"\n")?;
    }
    Ok(summary)
}

fn readme(fleet: &Fleet, summary: &Summary) -> String {
    let o = &fleet.options;
    format!(
        "# A simulated fleet\n\n\
         Seed {}, {} accounts, {} days from {}, {} attacks after {} days of warm-up, rate {},\n\
         {} records. Made by `cosmoguard simulate`; the same options give the same bytes. Nothing in\n\
         it is real, but addresses lie in public blocks of real operators.\n\n\
         - `insights-*`: logs as Azure's diagnostic settings write them; a blob's hour is the hour of arrival\n\
         - `labels.json`: accounts; attacks with the alert type that must be raised (`kind`) and those that\n  \
           are right too (`also`), accounts, time, addresses, principal, volume in mean days; benign episodes\n  \
           that look unusual\n\
         - `tor-exits.txt`, `threat-ips.txt`: lists valid for the whole time\n\n\
         Replay: `cosmoguard replay . --tor-exits tor-exits.txt --threat-ips threat-ips.txt --alerts alerts.jsonl`\n",
        o.seed,
        o.accounts,
        o.days,
        o.start,
        fleet.attacks.len(),
        o.warmup_days,
        o.rate,
        summary.records(),
    )
}
