//! The incident bundle: one archive of what the sidecar knows, to take away before it is gone.
//!
//! Made from memory and two short questions to the sequencer; when that does not answer, the
//! archive says so and holds the rest. One at a time, bounded in time and size.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use tokio::sync::Mutex;
use ves::Timestamp;

use crate::app::App;
use crate::blocking::Blocking;
use crate::checks::{Change, CheckView};
use crate::config::Config;
use crate::page::runbooks::Runbooks;
use crate::status::{self, Versions};
use crate::{VERSION, clock};

/// Longest time that a bundle takes.
pub const LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for the sequencer or the disk; they are asked at the same time.
const ANSWER_LIMIT: Duration = Duration::from_secs(4);
/// Largest file of an archive; what is longer is cut, and says so.
const MAX_FILE_BYTES: usize = 4 << 20;
/// Evidence of this many violations, the newest, and of this length.
const MAX_EVIDENCE: usize = 20;
const MAX_EVIDENCE_BYTES: u64 = 1 << 20;
/// What stands in place of a secret.
const REDACTED: &str = "(redacted)";

/// What is in it, for whoever opens it later.
const README: &str = "\
status.json            what the status page showed
history.json           the last 15 minutes, a point a second; null where nothing was known
checks.json            the checks, and when each of them changed
violations.json        what the witness found; evidence/ holds the contradicting records
metrics-sidecar.txt    a scrape of the sidecar
metrics-sequencer.txt  a scrape of the sequencer, or why there is none
health-detailed.json   the sequencer's own view of its health, or why there is none
config.txt             the sidecar's configuration, secrets redacted
versions.json          what runs
";

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another one is being made.
    #[error("another bundle is being made; one at a time")]
    Busy,
    /// The machine is too slow.
    #[error("the bundle was not ready within {} s", LIMIT.as_secs())]
    TooSlow,
    /// It could not be packed.
    #[error("the bundle could not be packed: {0}")]
    Packing(io::Error),
}

/// A packed bundle.
pub struct Archive {
    /// A name with the time in it.
    pub file_name: String,
    /// A `tar.gz`.
    pub bytes: Vec<u8>,
}

/// Makes bundles, one at a time.
#[derive(Default)]
pub struct Bundles {
    one: Mutex<()>,
    /// Reads the evidence, from a disk that may hang.
    disk: Blocking,
}

impl Bundles {
    /// Makes one.
    ///
    /// # Errors
    /// While another one is made, and when it takes too long.
    pub async fn take(&self, app: &App, runbooks: &Arc<Runbooks>) -> Result<Archive, Failure> {
        let _one = self.one.try_lock().map_err(|_| Failure::Busy)?;
        let now = clock::now();
        let packed = async {
            let mut files = collect(app, runbooks, now).await;
            files.extend(self.evidence(app).await);
            let (config, folder) = (app.core.config.clone(), folder_name(now));
            let packing = move || pack(&files, &folder, &Secrets::of(&config));
            tokio::task::spawn_blocking(packing).await.map_err(io::Error::other)?
        };
        let packed = tokio::time::timeout(LIMIT, packed).await.map_err(|_| Failure::TooSlow)?;
        let bytes = packed.map_err(Failure::Packing)?;
        Ok(Archive { file_name: format!("{}.tar.gz", folder_name(now)), bytes })
    }

    /// Both records of each of the newest open violations.
    async fn evidence(&self, app: &App) -> Vec<Entry> {
        let violations = app.witness.view().open_violations;
        let names: Vec<_> =
            violations.into_iter().filter_map(|found| found.evidence).take(MAX_EVIDENCE).collect();
        let folder = app.core.config.sidecar_state_dir.clone();
        let read = self.disk.run(move || {
            let entry = |name: String| match read_evidence(&folder.join(&name)) {
                Ok(content) => Entry { name, content },
                Err(error) => Entry::text(&name, format!("it cannot be read: {error}\n")),
            };
            names.into_iter().map(entry).collect()
        });
        let read = tokio::time::timeout(ANSWER_LIMIT, read).await;
        let why = "the state folder does not answer; its disk may hang\n";
        read.ok().flatten().unwrap_or_else(|| vec![Entry::text("evidence/unreadable.txt", why)])
    }
}

fn read_evidence(file: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(file)?.take(MAX_EVIDENCE_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

/// A file of the archive.
struct Entry {
    name: String,
    content: Vec<u8>,
}

impl Entry {
    fn text(name: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), content: content.into() }
    }

    fn json<T: Serialize>(name: &str, value: &T) -> Self {
        // Plain structures with text keys, as in http.
        Self::text(name, serde_json::to_vec_pretty(value).unwrap_or_default())
    }
}

async fn collect(app: &App, runbooks: &Arc<Runbooks>, now: Timestamp) -> Vec<Entry> {
    let sequencer = &app.core.sequencer;
    let (metrics, health, status) = tokio::join!(
        sequencer.get_operations("/metrics", ANSWER_LIMIT),
        sequencer.get_operations("/health/detailed", ANSWER_LIMIT),
        status::of(app, runbooks),
    );
    let metrics =
        metrics.map_or_else(|error| format!("# the sequencer {error}\n").into(), Vec::from);
    let health = match health {
        Ok(body) => Entry::text("health-detailed.json", body),
        Err(error) => {
            let why = serde_json::json!({ "error": format!("the sequencer {error}") });
            Entry::json("health-detailed.json", &why)
        }
    };
    let readme = format!("Taken at {now} by sidecar {VERSION}. Times are UTC.\n\n{README}");
    vec![
        Entry::text("README.txt", readme),
        Entry::json("status.json", &status),
        Entry::json("history.json", &app.history.view(None)),
        Entry::json(
            "checks.json",
            &Checks { now: app.checks.view(), changes: app.checks.history() },
        ),
        Entry::json("violations.json", &app.witness.view()),
        Entry::text("metrics-sidecar.txt", app.core.metrics.encode()),
        Entry::text("metrics-sequencer.txt", metrics),
        health,
        Entry::text("config.txt", app.core.config.render()),
        Entry::json("versions.json", &Versions::of(app)),
    ]
}

/// The checks now, and how they came there.
#[derive(Serialize)]
struct Checks {
    now: Vec<CheckView>,
    changes: Vec<Change>,
}

fn folder_name(now: Timestamp) -> String {
    // 2026-03-02T02:13:10.123456Z as 20260302T021310Z
    let digits = now.to_string().replace(['-', ':'], "");
    format!("sidecar-bundle-{}Z", digits.split('.').next().unwrap_or_default())
}

fn pack(files: &[Entry], folder: &str, secrets: &Secrets) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for Entry { name, content } in files {
        let content = secrets.remove(cut(content));
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(clock::now().as_micros() / 1_000_000).unwrap_or_default());
        archive.append_data(&mut header, format!("{folder}/{name}"), content.as_slice())?;
    }
    let mut packed = archive.into_inner()?;
    packed.flush()?;
    packed.finish()
}

/// At most the largest file, with a word where it ends early.
fn cut(content: &[u8]) -> Vec<u8> {
    if content.len() <= MAX_FILE_BYTES {
        return content.to_vec();
    }
    let mut kept = content[..MAX_FILE_BYTES].to_vec();
    let note = format!("\n# cut here: it had {} bytes\n", content.len());
    kept.extend_from_slice(note.as_bytes());
    kept
}

/// What must not leave the machine. Nothing that is packed should hold any of it; this is the
/// second lock on that door.
struct Secrets(Vec<String>);

impl Secrets {
    fn of(config: &Config) -> Self {
        let keys = [
            config.sidecar_token.clone(),
            config.canary_api_key.clone(),
            config.sequencer_api_key.clone(),
            // Of a development sequencer; a file that cannot be read now leaks nothing.
            config.api_key().ok().flatten(),
        ];
        let keys = keys.into_iter().flatten().map(|key| key.expose().to_owned());
        let urls = [&config.sequencer_url, &config.sequencer_ops_url];
        let urls = urls.into_iter().chain(&config.database_url);
        // Only as they stand in a URL: a password may be a common word.
        let passwords = urls.filter_map(|url| {
            let (_, rest) = url.split_once("://")?;
            let (user, _) = rest.rsplit_once('@')?;
            Some(format!("{user}@"))
        });
        Self(keys.chain(passwords).filter(|secret| !secret.is_empty()).collect())
    }

    fn remove(&self, content: Vec<u8>) -> Vec<u8> {
        let holds = |text: &str| self.0.iter().any(|secret| text.contains(secret));
        match std::str::from_utf8(&content) {
            Ok(text) if holds(text) => {
                let clean = |text: String, secret: &String| text.replace(secret, REDACTED);
                self.0.iter().fold(text.to_owned(), clean).into_bytes()
            }
            // What is no text is nothing that the sidecar wrote.
            Err(_) => String::from_utf8_lossy(&content).into_owned().into_bytes(),
            Ok(_) => content,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_removed_wherever_it_stands() {
        let secrets = Secrets(vec!["ss_key".to_owned(), "user:word@".to_owned()]);
        for (text, expect) in [
            ("a ss_key b ss_key", "a (redacted) b (redacted)"),
            ("postgres://user:word@host/db", "postgres://(redacted)host/db"),
            ("a word", "a word"),
        ] {
            assert_eq!(secrets.remove(text.as_bytes().to_vec()), expect.as_bytes());
        }
        assert_eq!(secrets.remove(vec![0xff]), "\u{fffd}".as_bytes());
    }

    #[test]
    fn a_long_file_is_cut_and_says_so() {
        assert_eq!(cut(b"short"), b"short");
        let long = cut(&vec![b'x'; MAX_FILE_BYTES + 1]);
        assert!(long.ends_with(b"# cut here: it had 4194305 bytes\n"));
    }
}
