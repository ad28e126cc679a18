//! Secrets by reference: what is configured says where a secret lies, never what it is.
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

/// Largest secret that is read, bytes: a token of Azure has 2 to 4 KB.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Where a secret lies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretRef {
    /// `env:NAME`: an environment variable.
    Env(String),
    /// `file:PATH`: a file's content without its last line break.
    File(PathBuf),
}

impl TryFrom<String> for SecretRef {
    type Error = String;

    fn try_from(text: String) -> Result<SecretRef, String> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(SecretRef::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(SecretRef::File(path.into())),
            // What was given may be the secret itself: it is not repeated.
            _ => Err("a secret is given by reference; write env:NAME or file:PATH".to_owned()),
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretRef::Env(name) => write!(f, "env:{name}"),
            SecretRef::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl SecretRef {
    /// Reads it. It is read at each use, so that a rotated one is taken without a restart.
    ///
    /// # Errors
    /// In words that name the reference: it is not there, empty, too large or no text.
    pub fn read(&self) -> Result<Secret, String> {
        let text = match self {
            SecretRef::Env(name) => {
                std::env::var(name).map_err(|_| format!("the secret {self} is not set"))?
            }
            SecretRef::File(path) => {
                let size = std::fs::metadata(path).map(|m| m.len());
                if size.is_ok_and(|size| size > SECRET_BYTES_MAX) {
                    return Err(format!("the secret {self} is larger than 64 KiB"));
                }
                std::fs::read_to_string(path).map_err(|cause| {
                    format!("the secret {self} cannot be read: {}", cause.kind())
                })?
            }
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(format!("the secret {self} is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("the secret {self} has more than one line"));
        }
        Ok(Secret(text.to_owned()))
    }
}

/// A secret. It prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Made in memory: a token that was asked for.
    pub(super) fn of(text: String) -> Secret {
        Secret(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// An address that may be a secret, as those of chat webhooks are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Url {
    /// Written out.
    Plain(String),
    /// By reference.
    Secret(SecretRef),
}

impl From<String> for Url {
    fn from(text: String) -> Url {
        SecretRef::try_from(text.clone()).map_or(Url::Plain(text), Url::Secret)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The path of a webhook may let anybody post: only the host is shown.
            Url::Plain(url) => f.write_str(origin(url)),
            Url::Secret(reference) => reference.fmt(f),
        }
    }
}

impl Url {
    /// The address.
    ///
    /// # Errors
    /// The reference cannot be read.
    pub fn read(&self) -> Result<Secret, String> {
        match self {
            Url::Plain(url) => Ok(Secret(url.clone())),
            Url::Secret(reference) => reference.read(),
        }
    }
}

/// Scheme and host of an address.
pub fn origin(url: &str) -> &str {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?', '#']).map_or(url.len(), |at| begin + at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_references_and_are_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "s3cret\n").unwrap();
        let reference = SecretRef::try_from(format!("file:{}", path.display())).unwrap();
        let secret = reference.read().unwrap();
        assert_eq!(secret.expose(), "s3cret");
        assert!(!format!("{secret:?} {reference:?} {reference}").contains("s3cret"));
        std::fs::write(&path, "two\nlines").unwrap();
        assert!(reference.read().unwrap_err().contains("more than one line"));
        std::fs::write(&path, "\n").unwrap();
        assert!(reference.read().unwrap_err().contains("is empty"));
        let pasted = SecretRef::try_from("s3cret".to_owned()).unwrap_err();
        assert!(!pasted.contains("s3cret") && pasted.contains("env:NAME"));
        let missing = SecretRef::try_from("env:COSMOGUARD_NO_SUCH".to_owned()).unwrap();
        assert!(missing.read().unwrap_err().contains("env:COSMOGUARD_NO_SUCH is not set"));
    }

    #[test]
    fn of_an_address_only_the_host_is_shown() {
        let url = Url::from("https://hooks.example/services/T0/B0/secret".to_owned());
        assert_eq!(url.to_string(), "https://hooks.example");
        assert_eq!(Url::from("env:HOOK".to_owned()).to_string(), "env:HOOK");
        assert_eq!(origin("https://a.example?token=x"), "https://a.example");
    }
}
