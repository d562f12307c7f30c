//! The ledger: every acknowledged event, one line each, written while the run goes on.
//!
//! The first line names the run; the last, written when the ledger is closed, says how many lines
//! there are, so a line that is taken out is missed. A ledger without it was cut off: what it
//! holds can still be verified.

mod read;
pub mod verify;

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use ves::{Hash32, Receipt, Stream};

pub use read::Ledger;

/// Entries that may wait for the disk; beyond it, who acknowledges waits.
const QUEUE: usize = 65_536;
/// Longest time that an entry stays in memory.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// An acknowledged event.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its stream's tenant.
    pub tenant_id: Uuid,
    /// Its stream's store.
    pub store_id: Uuid,
    /// Its identity.
    pub event_id: Uuid,
    /// The number it was given.
    pub sequence_number: u64,
    /// What the sequencer signed.
    pub receipt_hash: Hash32,
}

impl Entry {
    /// The entry of a receipt.
    #[must_use]
    pub fn of(stream: Stream, receipt: &Receipt) -> Self {
        Self {
            tenant_id: stream.tenant_id,
            store_id: stream.store_id,
            event_id: receipt.event_id,
            sequence_number: receipt.sequence_number,
            receipt_hash: receipt.receipt_hash,
        }
    }

    /// Where it belongs.
    #[must_use]
    pub fn stream(&self) -> Stream {
        Stream { tenant_id: self.tenant_id, store_id: self.store_id }
    }
}

/// A line of the file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    /// The first.
    Ledger {
        /// Version of this form.
        format: u32,
        /// Where the events were sent.
        url: String,
    },
    /// All between.
    Event(Entry),
    /// The last.
    Closed {
        /// Lines between.
        events: u64,
    },
}

/// The version of the form.
const FORMAT: u32 = 1;

/// Writes a ledger from a thread of its own.
pub struct Writer {
    /// Taken when the ledger is closed; what comes later is not written.
    entries: RwLock<Option<SyncSender<Entry>>>,
    thread: Mutex<Option<JoinHandle<anyhow::Result<u64>>>>,
    acknowledged: AtomicU64,
    path: PathBuf,
}

impl Writer {
    /// Begins the file; one that is there is replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path, url: &str) -> anyhow::Result<Self> {
        let name = path.display();
        let file = std::fs::File::create(path).with_context(|| format!("cannot write {name}"))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        write_line(&mut file, &Line::Ledger { format: FORMAT, url: url.to_owned() })?;
        file.flush().with_context(|| format!("cannot write {name}"))?;
        let (entries, queue) = sync_channel(QUEUE);
        let thread = std::thread::spawn(move || write_all(file, &queue));
        let acknowledged = AtomicU64::new(0);
        let (entries, thread) = (RwLock::new(Some(entries)), Mutex::new(Some(thread)));
        Ok(Self { entries, thread, acknowledged, path: path.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an entry.
    pub fn add(&self, entry: Entry) {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = entries.as_ref() {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
            // A writer that has failed says so when it is closed.
            let _ = entries.send(entry);
        }
    }

    /// Entries so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Writes the last line; gives how many entries there are.
    ///
    /// # Errors
    /// When the file could not be written.
    pub fn close(&self) -> anyhow::Result<u64> {
        drop(self.entries.write().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = thread.context("a ledger is closed once")?;
        let written = thread.join().map_err(|_| anyhow::anyhow!("the ledger's writer panicked"))?;
        written.with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn write_all(mut file: BufWriter<std::fs::File>, queue: &Receiver<Entry>) -> anyhow::Result<u64> {
    let mut events = 0;
    loop {
        match queue.recv_timeout(FLUSH_EVERY) {
            Ok(entry) => {
                write_line(&mut file, &Line::Event(entry))?;
                events += 1;
            }
            Err(RecvTimeoutError::Timeout) => file.flush()?,
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    write_line(&mut file, &Line::Closed { events })?;
    file.flush()?;
    file.get_ref().sync_all()?;
    Ok(events)
}

fn write_line(file: &mut BufWriter<std::fs::File>, line: &Line) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")?;
    Ok(())
}
