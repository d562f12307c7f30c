//! The embedded store from outside: the headers of its files, as documented by SQLite's file
//! format, and their sizes. No connection is opened and no lock is taken, so nothing here can block
//! the writer, hold the write-ahead log, or create or remove a file.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::view::SqliteFigures;
use super::wal_index::{self, WalIndex};

/// Marks the file as the sequencer's, once its first checkpoint has run: "VES1".
const APPLICATION_ID: u32 = 0x5645_5331;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;

/// Looks at one store, again and again.
pub(super) struct SqliteLook {
    file: PathBuf,
    /// The log as the last look found it.
    last: Option<WalIndex>,
    checkpoints_seen: u64,
}

/// What a look found.
pub(super) struct SqliteFound {
    pub(super) figures: SqliteFigures,
    pub(super) notes: Vec<String>,
}

impl SqliteLook {
    pub(super) fn new(file: PathBuf) -> Self {
        Self { file, last: None, checkpoints_seen: 0 }
    }

    /// Reads the headers. Takes as long as the disk takes.
    ///
    /// # Errors
    /// In words, when the file is not there, may not be read, or is no store of a sequencer.
    pub(super) fn look(&mut self) -> Result<SqliteFound, String> {
        let (database_bytes, header) = self.header()?;
        let page_bytes = page_bytes(&header);
        let mut notes = Vec::new();
        let index = self.index().unwrap_or_else(|note| {
            notes.push(note);
            None
        });
        if let (Some(before), Some(now)) = (&self.last, &index) {
            self.checkpoints_seen += now.checkpoints_since(before);
        }
        let wal_bytes = self.wal_bytes()?;
        let backlog = match &index {
            Some(index) => Some(u64::from(index.backlog()) * page_bytes),
            // Without an index a log that is not empty has not been read by anybody.
            None => (wal_bytes == 0 && notes.is_empty()).then_some(0),
        };
        if backlog.is_none() && notes.is_empty() {
            notes.push("checkpoint backlog: there is a write-ahead log without an index".into());
        }
        self.last = index.or(self.last);
        let figures = SqliteFigures {
            database_bytes,
            wal_bytes,
            page_bytes,
            freelist_bytes: u64::from(big_endian(&header, 36)) * page_bytes,
            checkpoint_backlog_bytes: backlog,
            checkpoints_seen: self.checkpoints_seen,
        };
        Ok(SqliteFound { figures, notes })
    }

    /// Size and header of the database file.
    fn header(&self) -> Result<(u64, [u8; HEADER_BYTES]), String> {
        let name = self.file.display();
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => format!("{name} does not exist"),
            _ => format!("{name} cannot be read: {error}"),
        };
        let found = fs::metadata(&self.file).map_err(cannot)?;
        if !found.is_file() {
            return Err(format!("{name} is not a file"));
        }
        if found.len() == 0 {
            return Err(format!("{name} is empty: no sequencer has used it yet"));
        }
        let mut header = [0; HEADER_BYTES];
        let file = File::open(&self.file).map_err(cannot)?;
        match file.read_exact_at(&mut header, 0) {
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                return Err(cannot(error));
            }
            Ok(()) if header.starts_with(MAGIC) => {}
            _ => return Err(format!("{name} is not a SQLite database")),
        }
        // 0 until the first checkpoint: the mark is still in the write-ahead log.
        if ![0, APPLICATION_ID].contains(&big_endian(&header, 68)) {
            return Err(format!("{name} is a database of another application"));
        }
        Ok((found.len(), header))
    }

    fn index(&self) -> Result<Option<WalIndex>, String> {
        let file = beside(&self.file, "-shm");
        wal_index::read(&file).map_err(|error| {
            format!("checkpoint backlog: {} cannot be read: {error}", file.display())
        })
    }

    fn wal_bytes(&self) -> Result<u64, String> {
        let file = beside(&self.file, "-wal");
        match fs::metadata(&file) {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(format!("{} cannot be looked at: {error}", file.display())),
        }
    }
}

/// The file with this ending after its whole name.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(ending);
    PathBuf::from(name)
}

/// The field is 16 bits wide, so 65,536 is written as 1.
fn page_bytes(header: &[u8; HEADER_BYTES]) -> u64 {
    match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65_536,
        bytes => bytes,
    }
}

fn big_endian(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    header.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
}
