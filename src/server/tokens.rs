//! Who may ask: bearer tokens, of which only SHA-256 hashes are kept, in `tokens.toml` of the data
//! directory, readable by its owner only.
//!
//! A token has 256 random bits, so a plain hash is enough: there is nothing to guess. Comparisons
//! take the same time whatever is compared. A change of the file takes effect with the next
//! request; a file that cannot be read lets nobody in.
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;

use crate::snapshot::hex;
use crate::time::Timestamp;

/// Name of the file in the data directory.
pub const FILE: &str = "tokens.toml";
/// What tokens begin with, so that scanners for leaked secrets find them.
const PREFIX: &str = "cosmoguard_";
/// Random bytes of a token.
const SECRET_BYTES: usize = 32;
/// Longest file that is read, bytes: thousands of tokens.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Longest name.
const NAME_MAX: usize = 64;

/// What a token's holder may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Hand over records, and nothing else.
    Sender,
    /// Read everything.
    Reader,
    /// Decide on alerts, too.
    Analyst,
    /// Everything.
    Admin,
}

impl Role {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Sender => "sender",
            Role::Reader => "reader",
            Role::Analyst => "analyst",
            Role::Admin => "admin",
        }
    }
    /// Reads it.
    pub fn parse(text: &str) -> Option<Role> {
        [Role::Sender, Role::Reader, Role::Analyst, Role::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
    /// May do what asks for `needed`.
    pub fn allows(self, needed: Role) -> bool {
        match needed {
            Role::Sender => matches!(self, Role::Sender | Role::Admin),
            Role::Reader => self != Role::Sender,
            Role::Analyst => matches!(self, Role::Analyst | Role::Admin),
            Role::Admin => self == Role::Admin,
        }
    }
}

/// Accounts that somebody may see: patterns of names with `*`, or none for all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(Vec<String>);

impl Scope {
    /// Those that any of the patterns fits.
    pub fn of(patterns: &[String]) -> Scope {
        let tidy = patterns.iter().map(|p| p.trim().to_ascii_lowercase());
        Scope(tidy.filter(|p| !p.is_empty()).collect())
    }
    /// All accounts.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }
    /// The patterns.
    pub fn patterns(&self) -> &[String] {
        &self.0
    }
    /// `account` is `name`, or `cloud/name` outside the public cloud.
    pub fn sees(&self, account: &str) -> bool {
        self.is_all() || self.0.iter().any(|pattern| fits(pattern, account))
    }
    /// Every account that `pattern` (with `*` and `?`) could ever fit is seen. Where that is not
    /// plain to see, it is denied: the pattern is one of these, or goes on from the beginning of one
    /// that ends in its only star.
    pub fn holds(&self, pattern: &str) -> bool {
        let open = pattern.find(['*', '?']);
        let Some(open) = open else { return self.sees(pattern) };
        let begins = &pattern[..open];
        let held = |own: &String| match own.split_once('*') {
            Some((start, "")) => begins.starts_with(start),
            _ => own == pattern && !pattern.contains('?'),
        };
        self.is_all() || self.0.iter().any(held)
    }
}

/// `*` fits any text, everything else itself. Linear: the parts between stars are taken where they
/// come first.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or("")) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    false
}

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Who holds it; unique.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// SHA-256 of the token, hexadecimal.
    pub sha256: String,
    /// When it was made, RFC 3339.
    pub created: String,
    /// From when it is nothing worth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Accounts that it sees.
    #[serde(default, skip_serializing_if = "Scope::is_all")]
    pub accounts: Scope,
}

impl Token {
    /// Its time is over. A date that cannot be read is over, too.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        let end = self.expires.as_deref().map(Timestamp::parse);
        end.is_some_and(|end| end.is_none_or(|end| end <= now))
    }
}

/// What is wrong with tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file system refused.
    #[error("`{path}` cannot be {action}: {cause}")]
    Io {
        /// The file.
        path: PathBuf,
        /// `read`, `written`.
        action: &'static str,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The file is not what was written.
    #[error("`{path}` does not hold tokens: {cause}; nobody is let in until it does")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The name is taken, or cannot be one.
    #[error("{0}")]
    Name(String),
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    token: Vec<Token>,
}

/// Reads the tokens of a data directory; `None` if none were ever made.
///
/// # Errors
/// The file is there and cannot be used.
pub fn load(data_dir: &Path) -> Result<Option<Vec<Token>>, TokenError> {
    let path = data_dir.join(FILE);
    read(&path)?.map(|bytes| parse(&path, &bytes)).transpose()
}

/// The file's bytes; `None` if it is not there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, TokenError> {
    let io = |cause| TokenError::Io { path: path.to_owned(), action: "read", cause };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    Ok(Some(bytes))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<Token>, TokenError> {
    let broken = |cause: String| TokenError::Broken { path: path.to_owned(), cause };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(broken("it is too long".to_owned()));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| broken(e.to_string()))?;
    let file: File = toml::from_str(text).map_err(|e| broken(e.message().to_owned()))?;
    Ok(file.token)
}

fn save(data_dir: &Path, tokens: Vec<Token>) -> Result<(), TokenError> {
    let path = data_dir.join(FILE);
    let io = |cause| TokenError::Io { path: path.clone(), action: "written", cause };
    let text = toml::to_string(&File { token: tokens })
        .map_err(|e| TokenError::Broken { path: path.clone(), cause: e.to_string() })?;
    std::fs::create_dir_all(data_dir).map_err(io)?;
    // Temporary files are readable by their owner only, and stay so under their new name.
    let mut file = tempfile::NamedTempFile::new_in(data_dir).map_err(io)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(io)?;
    file.persist(&path).map_err(|e| io(e.error))?;
    Ok(())
}

/// Makes a token and returns its text, which is kept nowhere.
///
/// # Errors
/// The name is taken or none; the file cannot be written; no randomness.
pub fn create(
    data_dir: &Path,
    name: &str,
    role: Role,
    accounts: &[String],
    (now, expires): (Timestamp, Option<Timestamp>),
) -> Result<String, TokenError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
        let wrong = format!("a token's name has 1 to {NAME_MAX} letters, digits, - _ . or @");
        return Err(TokenError::Name(wrong));
    }
    let mut tokens = load(data_dir)?.unwrap_or_default();
    if tokens.iter().any(|token| token.name == name) {
        let taken = format!("there is a token `{name}`; `cosmoguard token revoke {name}` first");
        return Err(TokenError::Name(taken));
    }
    let secret = format!("{PREFIX}{}", random_hex()?);
    tokens.push(Token {
        name: name.to_owned(),
        role,
        sha256: hash(&secret),
        created: now.to_string(),
        expires: expires.map(|at| at.to_string()),
        accounts: Scope::of(accounts),
    });
    save(data_dir, tokens)?;
    Ok(secret)
}

/// Takes a token back; whether there was one. The file stays, even without tokens: a service that
/// asked for tokens goes on asking for them.
///
/// # Errors
/// The file cannot be used.
pub fn revoke(data_dir: &Path, name: &str) -> Result<bool, TokenError> {
    let mut tokens = load(data_dir)?.unwrap_or_default();
    let before = tokens.len();
    tokens.retain(|token| token.name != name);
    let found = tokens.len() < before;
    if found {
        save(data_dir, tokens)?;
    }
    Ok(found)
}

/// 256 random bits, hexadecimal.
///
/// # Errors
/// The system gives none.
pub fn random_hex() -> Result<String, TokenError> {
    let mut bytes = [0; SECRET_BYTES];
    getrandom::fill(&mut bytes).map_err(|e| TokenError::Random(e.to_string()))?;
    Ok(hex(&bytes))
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Tokens, none were ever made, or why they cannot be read.
type Keys = Result<Option<Vec<Token>>, TokenError>;

/// The tokens of a data directory as they are now. The file is read for every request, which takes
/// microseconds, and parsed when it changed.
pub struct Keyring {
    path: PathBuf,
    known: Mutex<Option<(Vec<u8>, Arc<Keys>)>>,
}

impl Keyring {
    /// Those of `data_dir`.
    pub fn of(data_dir: &Path) -> Keyring {
        Keyring { path: data_dir.join(FILE), known: Mutex::new(None) }
    }

    /// What is in the file now.
    pub fn keys(&self) -> Arc<Keys> {
        let bytes = match read(&self.path) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Arc::new(Ok(None)),
            Err(error) => return Arc::new(Err(error)),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((same, keys)) = known.as_ref()
            && *same == bytes
        {
            return Arc::clone(keys);
        }
        let keys = Arc::new(parse(&self.path, &bytes).map(Some));
        *known = Some((bytes, Arc::clone(&keys)));
        keys
    }
}

/// The token with this text, whose time is not over. Every token is compared, whole.
pub fn holder<'a>(tokens: &'a [Token], secret: &str, now: Timestamp) -> Option<&'a Token> {
    let hashed = hash(secret);
    let mut found = None;
    for token in tokens {
        if bool::from(token.sha256.as_bytes().ct_eq(hashed.as_bytes())) {
            found = Some(token);
        }
    }
    found.filter(|token| !token.is_expired(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_a_pattern_only_where_it_sees_all_that_it_fits() {
        let scope = Scope::of(&["contoso-*", "fabrikam", "*-dev"].map(str::to_owned));
        for (pattern, held) in [
            ("contoso-orders", true),
            ("contoso-*", true),
            ("contoso-a*b?", true),
            ("fabrikam", true),
            ("x-dev", true),
            ("*-dev", true),
            ("contoso*", false),
            ("contoso?x", false),
            ("*", false),
            ("fabrika?", false),
            ("fabrikam*", false),
            ("?-dev", false),
            ("northwind", false),
            ("", false),
        ] {
            assert_eq!(scope.holds(pattern), held, "{pattern}");
        }
        assert!(Scope::default().holds("*"));
    }

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, text, is) in [
            ("contoso", "contoso", true),
            ("contoso", "contoso-x", false),
            ("contoso-*", "contoso-x", true),
            ("*-prod", "a-prod", true),
            ("*-prod", "a-prod-b", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("*", "china/x", true),
            ("x", "china/x", false),
            ("ab*ba", "aba", false),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, text), is, "{pattern} {text}");
        }
        assert!(Scope::of(&[]).sees("any"));
        assert!(!Scope::of(&["b".to_owned()]).sees("any"));
    }

    #[test]
    fn a_token_is_kept_as_a_hash_for_its_owner_only_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path()).unwrap().is_none());
        let make = |name: &str, expires| {
            create(dir.path(), name, Role::Reader, &[], (Timestamp(0), expires))
        };
        let secret = make("ann", Some(Timestamp(1000))).unwrap();
        assert!(make("ann", None).is_err() && make("a b", None).is_err());
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(!text.contains(&secret[PREFIX.len()..]), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let tokens = load(dir.path()).unwrap().unwrap();
        let name = |secret: &str, now| holder(&tokens, secret, Timestamp(now)).map(|t| &t.name[..]);
        assert_eq!(name(&secret, 999), Some("ann"));
        assert_eq!(name(&secret, 1000), None);
        assert_eq!(name(&secret[..secret.len() - 1], 0), None);
        assert!(revoke(dir.path(), "ann").unwrap() && !revoke(dir.path(), "ann").unwrap());
        assert_eq!(load(dir.path()).unwrap(), Some(vec![]));
        std::fs::write(dir.path().join(FILE), "[[token]]\nname = 7\n").unwrap();
        assert!(Keyring::of(dir.path()).keys().is_err());
    }

    #[test]
    fn roles_do_what_they_are_for() {
        use Role::*;
        for (role, may) in [
            (Sender, vec![Sender]),
            (Reader, vec![Reader]),
            (Analyst, vec![Reader, Analyst]),
            (Admin, vec![Sender, Reader, Analyst, Admin]),
        ] {
            for needed in [Sender, Reader, Analyst, Admin] {
                assert_eq!(role.allows(needed), may.contains(&needed), "{role:?} {needed:?}");
            }
            assert_eq!(Role::parse(role.as_str()), Some(role));
        }
    }
}
