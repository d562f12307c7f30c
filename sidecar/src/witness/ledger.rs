//! Findings become violations: told apart, counted, logged, with evidence, open until acknowledged.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use catalog::label;
use serde_json::{Value, json};
use ves::preimage::Preimage;
use ves::{Hash32, Stream, ViolationKind};

use super::memory::{Found, MAX_EVIDENCE, MAX_OPEN, Memory, Row, Written};
use super::view::{MAX_VIOLATIONS, ViolationView};
use crate::app::Core;
use crate::clock;

/// Folder of the evidence, below the state folder.
const EVIDENCE: &str = "evidence";
/// Longest record that goes into evidence whole; of a longer one, its beginning.
const MAX_RECORD_BYTES: usize = 256 << 10;
/// Findings of one kind in one page that are kept one by one; the rest of them as one.
const ONE_BY_ONE: usize = 5;

/// Something that is not as it must be.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) kind: ViolationKind,
    /// None when it is about all of them.
    pub(super) stream: Option<Stream>,
    pub(super) sequence_number: Option<u64>,
    pub(super) detail: String,
    /// What was seen before, or what must hold.
    pub(super) before: Value,
    /// What is seen now.
    pub(super) now: Value,
}

/// The violations of this witness.
pub(super) struct Ledger {
    core: Arc<Core>,
    memory: Arc<Memory>,
    /// As last read. Held for a copy only.
    open: Mutex<Vec<Row>>,
    /// Those that could not be written yet: what the memory refuses must still be shown.
    unwritten: Mutex<Vec<(Row, Hash32)>>,
    /// Findings that were only counted.
    unrecorded: AtomicU64,
}

impl Ledger {
    pub(super) fn new(core: Arc<Core>, memory: Arc<Memory>) -> Self {
        let (open, unwritten) = (Mutex::default(), Mutex::default());
        Self { core, memory, open, unwritten, unrecorded: AtomicU64::new(0) }
    }

    /// Takes the findings of a page. When a kind comes often, the rest of it is one violation.
    pub(super) async fn add_all(&self, findings: Vec<Finding>) {
        let mut rest: Vec<(Finding, usize)> = Vec::new();
        let mut counts = [0_usize; ViolationKind::ALL.len()];
        for finding in findings {
            let count = &mut counts[finding.kind as usize];
            *count += 1;
            if *count <= ONE_BY_ONE {
                self.add(finding).await;
            } else if let Some((_, more)) = rest.iter_mut().find(|r| r.0.kind == finding.kind) {
                *more += 1;
            } else {
                rest.push((finding, 0));
            }
        }
        for (mut finding, more) in rest {
            if more > 0 {
                finding.detail = format!("{} (and {more} more soon after it)", finding.detail);
            }
            self.add(finding).await;
        }
    }

    /// Takes a finding: a new one is counted, kept with its evidence, and logged.
    pub(super) async fn add(&self, finding: Finding) {
        let kind = finding.kind.as_str();
        let digest = digest(&finding.now);
        let Finding { stream, sequence_number, .. } = finding;
        let found = Found { kind, stream, sequence_number, digest };
        // When the memory cannot be asked, what is not written decides.
        if self.memory.is_known(&found).await.unwrap_or(false) || self.is_unwritten(&found) {
            return;
        }
        let id: String = uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect();
        let mut row = Row {
            id,
            kind: kind.to_owned(),
            stream,
            sequence_number,
            detail: finding.detail.clone(),
            evidence: None,
            since: clock::now(),
            ended: None,
        };
        row.evidence = self.write_evidence(&row, &finding).await;
        let metrics = &self.core.metrics.witness;
        metrics.violations[label_of(finding.kind)].inc();
        metrics.last_violation.set(clock::unix_seconds());
        log(&row);
        self.keep(row, digest).await;
        self.refresh().await;
    }

    async fn keep(&self, row: Row, digest: Hash32) {
        match self.memory.keep(&row, digest).await {
            Ok(Written::Kept) => return,
            Ok(Written::TooMany) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "a violation cannot be written");
                let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
                if unwritten.len() < MAX_OPEN {
                    unwritten.push((row, digest));
                    return;
                }
            }
        }
        self.unrecorded.fetch_add(1, Ordering::Relaxed);
        tracing::error!("too many violations are open: the last one is only counted");
        if let Some(file) = &row.evidence {
            // It would be nobody's evidence; what remains of it harms nobody.
            let _ = std::fs::remove_file(self.memory.folder().join(file));
        }
    }

    fn is_unwritten(&self, found: &Found<'_>) -> bool {
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        unwritten.iter().any(|(row, _)| {
            row.kind == found.kind
                && row.stream == found.stream
                && row.sequence_number == found.sequence_number
        })
    }

    /// Reads again what is open, for metrics and view: another process may have acknowledged.
    pub(super) async fn refresh(&self) {
        let unwritten = {
            let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *unwritten)
        };
        let mut still = Vec::new();
        for (row, digest) in unwritten {
            if self.memory.keep(&row, digest).await.is_err() {
                still.push((row, digest));
            }
        }
        let read = self.memory.violations(false).await;
        let mut rows = read.unwrap_or_else(|_| self.written());
        rows.splice(0..0, still.iter().map(|(row, _)| row.clone()));
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).extend(still);
        let metrics = &self.core.metrics.witness;
        for kind in ViolationKind::ALL {
            let count = rows.iter().filter(|row| row.kind == kind.as_str()).count();
            metrics.open_violations.set(kind.as_str(), count_as_gauge(count));
        }
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = rows;
    }

    /// Those that were read last, when they cannot be read now.
    fn written(&self) -> Vec<Row> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        let is_written = |row: &&Row| unwritten.iter().all(|(other, _)| other.id != row.id);
        open.iter().filter(is_written).cloned().collect()
    }

    /// Number of open ones, the newest of them, and how many were only counted.
    pub(super) fn view(&self) -> (u64, Vec<ViolationView>, u64) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = open.iter().take(MAX_VIOLATIONS).map(|row| ViolationView {
            id: row.id.clone(),
            kind: row.kind.clone(),
            tenant_id: row.stream.map(|stream| stream.tenant_id),
            store_id: row.stream.map(|stream| stream.store_id),
            sequence_number: row.sequence_number,
            detail: row.detail.clone(),
            since: row.since,
            evidence: row.evidence.clone(),
        });
        (open.len() as u64, newest.collect(), self.unrecorded.load(Ordering::Relaxed))
    }

    /// Writes the evidence; gives its name, unless there is too much or the disk refuses.
    async fn write_evidence(&self, row: &Row, finding: &Finding) -> Option<String> {
        if self.memory.evidence_count().await.unwrap_or(0) >= MAX_EVIDENCE {
            return None;
        }
        let name = format!("{EVIDENCE}/{}.json", row.id);
        let text = json!({
            "violation": row,
            "before": bounded(&finding.before),
            "now": bounded(&finding.now),
        });
        let folder = self.memory.folder().join(EVIDENCE);
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        let written = made.and_then(|()| {
            let mut options = std::fs::OpenOptions::new();
            let file = self.memory.folder().join(&name);
            let mut file = options.write(true).create_new(true).mode(0o600).open(file)?;
            file.write_all(format!("{text:#}\n").as_bytes())
        });
        match written {
            Ok(()) => Some(name),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the evidence of a violation cannot be written");
                None
            }
        }
    }
}

fn log(row: &Row) {
    let stream = row.stream.map(|stream| format!("{}/{}", stream.tenant_id, stream.store_id));
    tracing::error!(
        violation = row.id,
        kind = row.kind,
        stream = stream.as_deref().unwrap_or("all"),
        sequence_number = row.sequence_number,
        detail = row.detail,
        evidence = row.evidence.as_deref(),
        "the log is not what it must be"
    );
}

/// Of an event, only what the log holds of it: its receipt may come from another key meanwhile.
fn digest(now: &Value) -> Hash32 {
    let mut now = now.clone();
    if let Some(members) = now.as_object_mut() {
        members.remove("receipt");
    }
    Preimage::hashed("").raw(now.to_string().as_bytes()).finish()
}

/// A record that is too long is cut, and says so.
fn bounded(record: &Value) -> Value {
    let text = record.to_string();
    if text.len() <= MAX_RECORD_BYTES {
        return record.clone();
    }
    let beginning: String = text.chars().take(MAX_RECORD_BYTES / 4).collect();
    json!({ "cut_from_bytes": text.len(), "beginning": beginning })
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
fn count_as_gauge(count: usize) -> f64 {
    count as f64
}

/// The catalogue names the same kinds.
fn label_of(kind: ViolationKind) -> label::ViolationKind {
    match kind {
        ViolationKind::PayloadHash => label::ViolationKind::PayloadHash,
        ViolationKind::Signature => label::ViolationKind::Signature,
        ViolationKind::Gap => label::ViolationKind::Gap,
        ViolationKind::Duplicate => label::ViolationKind::Duplicate,
        ViolationKind::Receipt => label::ViolationKind::Receipt,
        ViolationKind::Root => label::ViolationKind::Root,
        ViolationKind::Chain => label::ViolationKind::Chain,
        ViolationKind::Rollback => label::ViolationKind::Rollback,
        ViolationKind::Rewritten => label::ViolationKind::Rewritten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_and_the_protocol_name_the_same_kinds() {
        let ours: Vec<&str> = ViolationKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(ours, label::ViolationKind::VALUES);
        for kind in ViolationKind::ALL {
            assert_eq!(label_of(*kind).as_str(), kind.as_str());
            assert_eq!(ViolationKind::ALL[*kind as usize], *kind);
        }
    }

    #[test]
    fn evidence_is_bounded_and_says_so() {
        let long = json!({ "payload": "x".repeat(MAX_RECORD_BYTES) });
        let cut = bounded(&long);
        assert!(cut["cut_from_bytes"].as_u64().unwrap() > MAX_RECORD_BYTES as u64);
        assert!(cut.to_string().len() < MAX_RECORD_BYTES);
        assert_eq!(bounded(&json!({ "a": 1 })), json!({ "a": 1 }));
    }
}
