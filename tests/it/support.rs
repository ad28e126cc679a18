//! The real binary in a directory of its own, and what it leaves behind.
#![allow(clippy::expect_used, reason = "a test that cannot set its scene fails")]
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cosmoguard::simulate::scenario::resource_id;
use cosmoguard::store::StateStore;
use cosmoguard::store::sled_store::SledStore;
use cosmoguard::time::Timestamp;

/// What a process said and how it ended.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cosmoguard"));
    command.current_dir(dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ran(output: std::process::Output) -> Ran {
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        err: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

/// Runs the binary in `dir` to its end.
pub fn cli(dir: &Path, args: &[&str]) -> Ran {
    ran(command(dir, args).stdin(Stdio::null()).output().expect("the binary starts"))
}

/// Runs the binary in `dir` with `feed` writing its standard input.
pub fn cli_fed(
    dir: &Path,
    args: &[&str],
    feed: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send + 'static,
) -> Ran {
    let mut child = command(dir, args).stdin(Stdio::piped()).spawn().expect("the binary starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let feeding = std::thread::spawn(move || feed(&mut stdin));
    let ran = ran(child.wait_with_output().expect("the binary ends"));
    feeding.join().expect("no panic while feeding").expect("the binary reads its input to the end");
    ran
}

/// Sealed account models of a data directory, by key.
pub fn checkpoints(data_dir: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    stored_below(data_dir, cosmoguard::store::keys::ACCOUNT)
}

/// Everything in the state of a data directory, by key.
pub fn stored(data_dir: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    stored_below(data_dir, b"")
}

fn stored_below(data_dir: &Path, prefix: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let store = SledStore::open(&data_dir.join("state")).expect("the store opens");
    let mut found = Vec::new();
    let mut visit = |key: &[u8], value: &[u8]| {
        found.push((key.to_vec(), value.to_vec()));
        true
    };
    store.scan(prefix, &mut visit).expect("the store reads");
    found
}

/// A file or folder among the fixtures.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// One record of `QueryRuntimeStatistics`, as Azure writes it: the text inside of JSON inside of a
/// string.
pub fn query_text(account: &str, at: Timestamp, activity: u128, text: &str, rows: u64) -> Vec<u8> {
    let inner = serde_json::json!({"query": text, "parameters": []}).to_string();
    serde_json::json!({
        "time": at.to_string(),
        "resourceId": resource_id(account).to_ascii_uppercase(),
        "category": "QueryRuntimeStatistics",
        "properties": {
            "activityId": uuid::Uuid::from_u128(activity).to_string(),
            "databasename": "ordersdb",
            "collectionname": "items",
            "partitionkeyrangeid": "0",
            "useragent": "Microsoft.Azure.Documents.Common/2.14.0RoutingGateway",
            "partialipaddress": "10.0.1.4",
            "regionname": "West Europe",
            "numberofrowsreturned": rows.to_string(),
            "queryexecutionstatus": "Finished",
            "querytext": inner,
        }
    })
    .to_string()
    .into_bytes()
}
