//! A folder that appears whole or not at all, with a list of checksums that ordinary tools read.
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::EvidenceError;
use crate::snapshot::hex;

/// The list of checksums, as `sha256sum -c` reads it.
pub const MANIFEST: &str = "MANIFEST.sha256";

/// A folder under construction, beside the place where it will be; gone again if it is dropped.
pub struct Folder {
    out: PathBuf,
    made: tempfile::TempDir,
    sums: Vec<(String, String)>,
}

impl Folder {
    /// Begins one.
    ///
    /// # Errors
    /// There is something at `out`, or the file system refused.
    pub fn begin(out: &Path) -> Result<Folder, EvidenceError> {
        match std::fs::read_dir(out).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            _ => return Err(EvidenceError::Exists(out.to_owned())),
        }
        let beside = match out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut builder = tempfile::Builder::new();
        builder.prefix(".cosmoguard-").suffix(".partial");
        // What happened to somebody is not for everybody on the machine.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let made = builder.tempdir_in(&beside).map_err(EvidenceError::io(&beside, "written"))?;
        Ok(Folder { out: out.to_owned(), made, sums: Vec::new() })
    }

    /// Adds a file.
    ///
    /// # Errors
    /// The file system refused.
    pub fn put(&mut self, name: &str, text: &str) -> Result<(), EvidenceError> {
        self.stream(name, |out| out.write_all(text.as_bytes()))
    }

    /// Adds a file that `write` fills.
    ///
    /// # Errors
    /// The file system refused.
    pub fn stream<T>(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<T, EvidenceError> {
        let path = self.made.path().join(name);
        let written = File::create_new(&path).and_then(|file| {
            let mut out = Hashing { inner: BufWriter::new(file), sha: Sha256::new() };
            let done = write(&mut out)?;
            out.inner.flush()?;
            out.inner.get_ref().sync_all()?;
            Ok((done, hex(&out.sha.finalize())))
        });
        let (done, sum) = written.map_err(EvidenceError::io(&self.out.join(name), "written"))?;
        self.sums.push((name.to_owned(), sum));
        Ok(done)
    }

    /// Adds the list of checksums; returns its own.
    ///
    /// # Errors
    /// The file system refused.
    pub fn seal(&mut self) -> Result<String, EvidenceError> {
        self.sums.sort();
        let text: String = self.sums.iter().map(|(name, sum)| format!("{sum}  {name}\n")).collect();
        self.put(MANIFEST, &text)?;
        Ok(self.sums.pop().map(|(_, sum)| sum).unwrap_or_default())
    }

    /// Gives it its name.
    ///
    /// # Errors
    /// The file system refused.
    pub fn publish(self) -> Result<(), EvidenceError> {
        let Folder { out, made, .. } = self;
        let written = |e| EvidenceError::io(&out, "written")(e);
        match std::fs::remove_dir(&out) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(written(e)),
            _ => {}
        }
        std::fs::rename(made.path(), &out).map_err(written)?;
        // It has another name now: there is nothing to remove.
        let _ = made.keep();
        Ok(())
    }
}

/// Hashes what passes.
struct Hashing {
    inner: BufWriter<File>,
    sha: Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sha.update(&bytes[..written]);
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
