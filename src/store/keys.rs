//! Keys of the one tree: a one-letter prefix a kind, then what names the value; numbers
//! big-endian so that order on disk is order in time.
use crate::alert::AlertId;
use crate::ids::AccountId;

/// Account checkpoints.
pub const ACCOUNT: &[u8] = b"a/";
/// Checkpoints of accounts that fell asleep since the run's last checkpoint.
pub const STAGED: &[u8] = b"w/";
/// Alert lines, by account sequence of delivery.
pub const ALERT: &[u8] = b"l/";
/// What was told of alerts, by alert id.
pub const TOLD: &[u8] = b"y/";
/// Records that alerts rest on, by alert id.
pub const EVIDENCE: &[u8] = b"e/";
/// Runs that taught this state, by number.
pub const RUN_LOG: &[u8] = b"r/";
/// Display rings.
pub const RING: &[u8] = b"h/";
/// Priors by day.
pub const PRIORS: &[u8] = b"p/";
/// Directories of principals by day.
pub const DIRECTORY: &[u8] = b"q/";
/// Sources by number.
pub const SOURCE: &[u8] = b"o/";
/// Where sources lay, by number.
pub const SOURCE_NAME: &[u8] = b"n/";
/// Fingerprints of recent records, by generation and part.
pub const DIGESTS: &[u8] = b"g/";

/// What people decided, by number.
pub const DECISION: &[u8] = b"j/";
/// What was left out of accounts' models by hand.
pub const LEFT_OUT: &[u8] = b"x/";
/// What came to accounts and is not in their models.
pub const UNTAUGHT: &[u8] = b"u/";
/// Delivered lengths of alert files.
pub const DELIVERED: &[u8] = b"s/delivered/";

/// How much of the alert file at `path` was delivered; files are told apart by absolute path.
pub fn delivered(path: &std::path::Path) -> Vec<u8> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    [DELIVERED, absolute.as_os_str().as_encoded_bytes()].concat()
}

/// The store's own [`super::census`]: no scan shows it and no batch may change it.
pub const CENSUS: &[u8] = b"s/census";

/// The account that a key below `prefix` names.
pub fn named(key: &[u8], prefix: &[u8]) -> Option<AccountId> {
    let name = std::str::from_utf8(key.strip_prefix(prefix)?).ok()?;
    Some(AccountId::parse(name))
}

/// Checkpoint of an account.
pub fn account(id: &AccountId) -> Vec<u8> {
    [ACCOUNT, id.key().as_bytes()].concat()
}
/// Checkpoint of an account that fell asleep since the run's last checkpoint.
pub fn staged(id: &AccountId) -> Vec<u8> {
    [STAGED, id.key().as_bytes()].concat()
}
/// Present when what is staged belongs to the run's checkpoint and is only to be moved.
pub fn staged_good() -> Vec<u8> {
    b"s/staged-good".to_vec()
}
/// The desk.
pub fn desk() -> Vec<u8> {
    b"d/desk".to_vec()
}
/// The tenant model.
pub fn tenant() -> Vec<u8> {
    b"t/tenant".to_vec()
}
/// The fleet model.
pub fn fleet() -> Vec<u8> {
    b"f/fleet".to_vec()
}
/// The router's watermark and the last tick.
pub fn positions() -> Vec<u8> {
    b"s/positions".to_vec()
}
/// Source `number`.
pub fn source(number: u32) -> Vec<u8> {
    [SOURCE, &number.to_be_bytes()].concat()
}
/// Where source `number` lay.
pub fn source_name(number: u32) -> Vec<u8> {
    [SOURCE_NAME, &number.to_be_bytes()].concat()
}
/// Part `part` of the fingerprints of `generation`.
pub fn digests(generation: u64, part: u32) -> Vec<u8> {
    [DIGESTS, &generation.to_be_bytes(), &part.to_be_bytes()].concat()
}
/// What each account still has to do. Whoever changes an account's checkpoint by other means than
/// a run deletes this: without it every account is looked at.
pub fn due() -> Vec<u8> {
    b"s/due".to_vec()
}
/// What was left out of an account's model by hand.
pub fn left_out(id: &AccountId) -> Vec<u8> {
    [LEFT_OUT, id.key().as_bytes()].concat()
}

/// What came to an account and is not in its model.
pub fn untaught(id: &AccountId) -> Vec<u8> {
    [UNTAUGHT, id.key().as_bytes()].concat()
}

/// The `number`-th alert line.
pub fn alert(number: u64) -> Vec<u8> {
    [ALERT, &number.to_be_bytes()].concat()
}
/// What was told of alert `id`.
pub fn told(id: AlertId) -> Vec<u8> {
    [TOLD, &id.0.to_be_bytes()].concat()
}
/// Records that alert `id` rests on.
pub fn evidence(id: AlertId) -> Vec<u8> {
    [EVIDENCE, &id.0.to_be_bytes()].concat()
}
/// The `number`-th run that taught this state.
pub fn run_log(number: u64) -> Vec<u8> {
    [RUN_LOG, &number.to_be_bytes()].concat()
}
/// The `number`-th decision.
pub fn decision(number: u64) -> Vec<u8> {
    [DECISION, &number.to_be_bytes()].concat()
}
/// Priors published at midnight of `day`.
pub fn priors(day: i64) -> Vec<u8> {
    [PRIORS, &day.to_be_bytes()].concat()
}
/// Directory published at midnight of `day`.
pub fn directory(day: i64) -> Vec<u8> {
    [DIRECTORY, &day.to_be_bytes()].concat()
}
/// Ring of an account for `day`.
pub fn ring(id: &AccountId, day: i64) -> Vec<u8> {
    [RING, id.key().as_bytes(), b"\0", &day.to_be_bytes()].concat()
}
/// Prefix of all rings of an account.
pub fn rings(id: &AccountId) -> Vec<u8> {
    [RING, id.key().as_bytes(), b"\0"].concat()
}
/// One key of every kind of sealed value that is no account: for tests of the decoder.
pub fn of_every_kind() -> Vec<Vec<u8>> {
    vec![
        desk(),
        tenant(),
        fleet(),
        positions(),
        priors(1),
        directory(1),
        source(0),
        source_name(0),
        digests(1, 0),
        evidence(AlertId(1)),
        run_log(1),
        decision(1),
    ]
}
