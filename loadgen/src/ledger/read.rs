//! Reading a ledger back.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use ves::Stream;

use super::{Entry, FORMAT, Line};

/// What a file holds, by stream. About 100 bytes an event are kept in memory.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Where the events were sent.
    pub url: String,
    /// In the order of the file.
    pub streams: BTreeMap<Stream, Vec<Entry>>,
    /// Entries.
    pub events: u64,
    /// What the file itself says against it.
    pub problems: Vec<String>,
    /// Whether it was closed in order; one that was not may lack what was acknowledged last.
    pub is_closed: bool,
}

impl Ledger {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is no ledger.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {name}"))?;
        let mut ledger = Self::default();
        let mut lines = BufReader::new(file).lines();
        let first = lines.next().with_context(|| format!("{name} is empty"))??;
        let Ok(Line::Ledger { format, url }) = serde_json::from_str(&first) else {
            bail!("{name} is no ledger: its first line does not say so");
        };
        ensure!(format <= FORMAT, "{name} has format {format}; this program knows {FORMAT}");
        ledger.url = url;
        for (line, number) in lines.zip(2u64..) {
            let line = line.with_context(|| format!("cannot read {name}"))?;
            ledger.line(&line, number);
        }
        Ok(ledger)
    }

    fn line(&mut self, line: &str, number: u64) {
        if self.is_closed {
            self.problems.push(format!("line {number} comes after the ledger was closed"));
        }
        match serde_json::from_str(line) {
            Ok(Line::Event(entry)) => {
                self.events += 1;
                self.streams.entry(entry.stream()).or_default().push(entry);
            }
            Ok(Line::Closed { events }) => {
                self.is_closed = true;
                if events != self.events {
                    let held = self.events;
                    self.problems
                        .push(format!("it was closed with {events} events and holds {held}"));
                }
            }
            Ok(Line::Ledger { .. }) => {
                self.problems.push(format!("line {number} begins another ledger"));
            }
            Err(error) => self.problems.push(format!("line {number} is no entry: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use ves::Hash32;

    use super::*;
    use crate::ledger::Writer;

    #[test]
    fn what_is_written_is_read_and_what_is_taken_out_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.ndjson");
        let writer = Writer::create(&path, "http://127.0.0.1:1").unwrap();
        let entry = |number| Entry {
            tenant_id: Uuid::nil(),
            store_id: Uuid::nil(),
            event_id: Uuid::new_v4(),
            sequence_number: number,
            receipt_hash: Hash32::ZERO,
        };
        for number in 1..=3 {
            writer.add(entry(number));
        }
        assert_eq!((writer.acknowledged(), writer.path()), (3, path.as_path()));
        assert_eq!(writer.close().unwrap(), 3);
        let ledger = Ledger::read(&path).unwrap();
        assert_eq!((ledger.events, ledger.is_closed, ledger.streams.len()), (3, true, 1));
        assert!(ledger.problems.is_empty());

        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for (kept, expect) in [
            ([lines[0], lines[1], lines[4]], "closed with 3 events and holds 1"),
            ([lines[0], "{}", lines[1]], "line 2 is no entry"),
            ([lines[0], lines[0], lines[1]], "line 2 begins another ledger"),
            ([lines[0], lines[4], lines[1]], "after the ledger was closed"),
        ] {
            std::fs::write(&path, kept.join("\n")).unwrap();
            let problems = Ledger::read(&path).unwrap().problems.join("; ");
            assert!(problems.contains(expect), "{problems}");
        }
        for text in ["", "{}\n", "{\"ledger\":{\"format\":2,\"url\":\"x\"}}\n"] {
            std::fs::write(&path, text).unwrap();
            assert!(Ledger::read(&path).is_err(), "{text}");
        }
    }
}
