//! What an alert rests on, kept and handed over: at each checkpoint the records of the stories that
//! took findings are read once more, hashed and redacted ([`take`]); later they are packed into a
//! folder for an incident file ([`folder`], [`contents`], [`records`]) that proves itself
//! ([`verify`]) without anything of ours but the program.
use std::path::PathBuf;

use crate::store::next_step;

pub mod contents;
pub mod folder;
mod packed;
pub mod records;
pub mod take;
pub mod verify;

/// Why evidence cannot be handed over. Each names the place and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The file system refused.
    #[error("`{path}` cannot be {action}: {cause}{}", next_step(cause))]
    Io {
        /// File or folder.
        path: PathBuf,
        /// "read", "written".
        action: &'static str,
        /// What the system says.
        cause: std::io::Error,
    },
    /// There is something already.
    #[error("`{0}` exists and is not an empty folder; name another one")]
    Exists(PathBuf),
    /// Not a folder of ours.
    #[error(
        "`{0}` holds no MANIFEST.sha256: it is no evidence that `cosmoguard evidence ALERT_ID OUT` wrote, or not all of it"
    )]
    NotEvidence(PathBuf),
}

impl EvidenceError {
    fn io(
        path: &std::path::Path,
        action: &'static str,
    ) -> impl FnOnce(std::io::Error) -> EvidenceError {
        let path = path.to_owned();
        move |cause| EvidenceError::Io { path, action, cause }
    }
}
