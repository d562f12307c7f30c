//! The folder of runbooks, one page per alert.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest name of an alert.
const MAX_NAME_BYTES: usize = 80;
/// Largest page; one screen of text has 3 KiB.
const MAX_PAGE_BYTES: u64 = 256 << 10;
/// Pages that are listed.
const MAX_PAGES: usize = 500;
/// A listing is used for this long.
const LISTING_LIFETIME: Duration = Duration::from_secs(10);

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// Not the name of an alert.
    #[error("a runbook has the name of its alert: letters and digits, at most {MAX_NAME_BYTES}")]
    NoName,
    /// No folder is configured.
    #[error("this sidecar has no runbooks: RUNBOOKS_DIR is not set")]
    NoFolder,
    /// The configured folder is not there.
    #[error("the folder of RUNBOOKS_DIR is not there")]
    FolderIsGone,
    /// No page of that name.
    #[error("there is no runbook `{0}` in RUNBOOKS_DIR")]
    NoPage(String),
    /// It is there and cannot be shown.
    #[error("the runbook cannot be shown: {0}")]
    Unreadable(String),
}

/// The folder and what was in it last time.
pub struct Runbooks {
    folder: Option<PathBuf>,
    listed: Mutex<Option<(Instant, Arc<BTreeSet<String>>)>>,
}

/// Whether this can be the name of an alert, and so of a page.
pub(super) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl Runbooks {
    /// Over a folder, if one is configured.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, listed: Mutex::default() }
    }

    /// The Markdown of an alert's page. Reads a file: not for an async worker.
    ///
    /// # Errors
    /// When there is none, in words for whoever asked.
    pub fn read(&self, alert: &str) -> Result<String, Missing> {
        if !is_name(alert) {
            return Err(Missing::NoName);
        }
        let folder = self.folder.as_ref().ok_or(Missing::NoFolder)?;
        let path = folder.join(format!("{alert}.md"));
        let unreadable = |error: std::io::Error| match error.kind() {
            ErrorKind::NotFound if folder.is_dir() => Missing::NoPage(alert.to_owned()),
            ErrorKind::NotFound => Missing::FolderIsGone,
            _ => Missing::Unreadable(error.to_string()),
        };
        // Asked before it is opened: opening a pipe would wait for a writer.
        if !fs::metadata(&path).map_err(unreadable)?.is_file() {
            return Err(Missing::Unreadable("it is no file".to_owned()));
        }
        let file = fs::File::open(&path).map_err(unreadable)?;
        let mut text = String::new();
        file.take(MAX_PAGE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
        if text.len() as u64 > MAX_PAGE_BYTES {
            let message = format!("it has more than {MAX_PAGE_BYTES} bytes");
            return Err(Missing::Unreadable(message));
        }
        Ok(text)
    }

    /// Names of the alerts that have a page, as of a few seconds ago.
    pub async fn names(self: &Arc<Self>) -> Arc<BTreeSet<String>> {
        let last = self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, names)) = &last
            && at.elapsed() < LISTING_LIFETIME
        {
            return Arc::clone(names);
        }
        let runbooks = Arc::clone(self);
        let listed = tokio::task::spawn_blocking(move || runbooks.list()).await;
        let names = Arc::new(listed.unwrap_or_default());
        let fresh = Some((Instant::now(), Arc::clone(&names)));
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        names
    }

    fn list(&self) -> BTreeSet<String> {
        let Some(entries) = self.folder.as_ref().and_then(|folder| fs::read_dir(folder).ok())
        else {
            return BTreeSet::new();
        };
        let name = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".md")?;
            is_name(name).then(|| name.to_owned())
        };
        entries.flatten().filter_map(name).take(MAX_PAGES).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_alerts_reach_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text);
        write("SequencerDown.md", b"# Down").expect("written");
        write("Large.md", &vec![b'x'; 300 << 10]).expect("written");
        write("Binary.md", &[0xff, 0xfe]).expect("written");
        fs::create_dir(folder.path().join("Folder.md")).expect("made");
        let runbooks = Runbooks::new(Some(folder.path().to_owned()));
        for (name, expect) in [
            ("SequencerDown", "# Down"),
            ("Other", "there is no runbook `Other`"),
            ("../SequencerDown", "letters and digits"),
            ("%2e%2e", "letters and digits"),
            ("", "letters and digits"),
            (&"x".repeat(81), "letters and digits"),
            ("Large", "more than 262144 bytes"),
            ("Binary", "cannot be shown"),
            ("Folder", "it is no file"),
        ] {
            let found = runbooks.read(name).unwrap_or_else(|missing| missing.to_string());
            assert!(found.contains(expect), "{name}: {found}");
        }
        let none = Runbooks::new(None).read("SequencerDown").expect_err("none");
        assert!(none.to_string().contains("RUNBOOKS_DIR is not set"));
        let gone = Runbooks::new(Some(folder.path().join("gone"))).read("A").expect_err("gone");
        assert!(gone.to_string().contains("is not there"));
        assert!(runbooks.list().contains("SequencerDown"));
    }
}
