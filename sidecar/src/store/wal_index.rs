//! The header of SQLite's wal-index, the `-shm` file: how far the write-ahead log has come and how
//! much of it is in the database file (sqlite.org/walformat.html, 2.1).
//!
//! It is read as a file and not mapped, and no lock is taken: a copy that is torn by a writer shows
//! in the two header copies that differ or in the checksum, and is read again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Two copies of the header, then the state of checkpoints.
const BYTES: usize = 136;
/// Bytes of one copy of the header, its checksum in the last eight.
const COPY: usize = 48;
const CHECKED: usize = COPY - 8;
/// The one version of the format there is.
const VERSION: u32 = 3_007_000;
/// A writer changes the header in nanoseconds; so many torn copies in a row mean a broken file.
const ATTEMPTS: u32 = 20;

/// What the header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct WalIndex {
    /// Frames in the write-ahead log.
    pub(super) frames: u32,
    /// Of these, the ones that are in the database file.
    pub(super) backfilled: u32,
    /// Grows by one each time that the log begins again; random for a new file.
    pub(super) generation: u32,
}

impl WalIndex {
    /// Frames that are in the log only.
    pub(super) fn backlog(&self) -> u32 {
        self.frames.saturating_sub(self.backfilled)
    }

    /// Checkpoints that must have run between an earlier state and this one; never too many.
    pub(super) fn checkpoints_since(&self, before: &Self) -> u64 {
        /// More restarts than happen between two looks: it is another file.
        const ANOTHER_FILE: u32 = 1 << 20;
        let moved = u64::from(self.backfilled > 0);
        match self.generation.wrapping_sub(before.generation) {
            0 => u64::from(self.backfilled > before.backfilled),
            // The log only begins again once all of it has moved; that of `before` may have been
            // counted already.
            restarts if restarts < ANOTHER_FILE => {
                u64::from(restarts) - u64::from(before.backlog() == 0) + moved
            }
            _ => moved,
        }
    }
}

/// Reads the header; `None` when the file is not there, which is so while nobody uses the store.
///
/// # Errors
/// When it cannot be read, or holds no header that is whole.
pub(super) fn read(file: &Path) -> io::Result<Option<WalIndex>> {
    let file = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let (mut first, mut second) = ([0; BYTES], [0; BYTES]);
    for _ in 0..ATTEMPTS {
        file.read_exact_at(&mut first, 0)?;
        file.read_exact_at(&mut second, 0)?;
        // Twice the same: header and checkpoint state are of one moment.
        if let Some(index) = parse(&first).filter(|_| first == second) {
            return Ok(Some(index));
        }
        std::thread::yield_now();
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "it holds no whole header"))
}

/// The words are in the byte order of the machine, but for the salts, which are as in the log.
fn parse(bytes: &[u8; BYTES]) -> Option<WalIndex> {
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes);
    let (copy, other) = bytes.split_at(COPY);
    let sum = checksum(copy.get(..CHECKED)?);
    let is_whole = other.starts_with(copy)
        && word(0)? == VERSION
        && bytes.get(12) == Some(&1)
        && sum == (word(CHECKED)?, word(CHECKED + 4)?);
    let salt = bytes.get(32..36)?.try_into().ok().map(u32::from_be_bytes)?;
    is_whole.then_some(WalIndex { frames: word(16)?, backfilled: word(96)?, generation: salt })
}

/// The checksum of the log's format, over pairs of words in the byte order of the machine.
fn checksum(bytes: &[u8]) -> (u32, u32) {
    let words = bytes.chunks_exact(4).map(|word| word.try_into().map_or(0, u32::from_ne_bytes));
    let mut sums = (0_u32, 0_u32);
    for (at, word) in words.enumerate() {
        if at % 2 == 0 {
            sums.0 = sums.0.wrapping_add(word).wrapping_add(sums.1);
        } else {
            sums.1 = sums.1.wrapping_add(word).wrapping_add(sums.0);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_counted_from_what_changed() {
        let state = |generation, frames, backfilled| WalIndex { frames, backfilled, generation };
        for (before, now, expect, why) in [
            (state(5, 10, 0), state(5, 20, 0), 0, "only written"),
            (state(5, 10, 0), state(5, 20, 10), 1, "one moved a part"),
            (state(5, 20, 10), state(5, 20, 10), 0, "nothing happened"),
            (state(5, 20, 10), state(5, 30, 30), 1, "one moved the rest"),
            (state(5, 20, 0), state(6, 3, 0), 1, "all moved, begun again"),
            (state(5, 20, 20), state(6, 3, 0), 0, "counted before it began again"),
            (state(5, 20, 20), state(8, 9, 4), 3, "two more and a part"),
            (state(u32::MAX, 20, 0), state(1, 9, 0), 2, "the number wraps"),
            (state(5, 20, 0), state(0x9000_0000, 9, 0), 0, "a new file"),
            (state(5, 20, 0), state(0x9000_0000, 9, 9), 1, "a new file, moved"),
        ] {
            assert_eq!(now.checkpoints_since(&before), expect, "{why}");
        }
    }
}
