//! How far a stream was verified and what it held then, signed, so that nobody but this witness can
//! say so.

use ves::audit::NumberedLeaf;
use ves::preimage::Preimage;
use ves::{Commitment, Hash32, Sig64, SigningKey, Stream, StreamAuditor, Timestamp};

/// Names what the signature is for.
const LABEL: &str = "STATESET_WITNESS_CHECKPOINT_V1";
/// Names what a trail is.
const TRAIL_LABEL: &str = "STATESET_WITNESS_TRAIL_V1";
/// Bytes of a stored leaf: number, event, hash.
const LEAF_BYTES: usize = 56;
/// First distance of two marks of a trail; it doubles when a stream has too many.
const FIRST_GRID: u64 = 1_024;
/// Most marks of a stream.
const MAX_MARKS: u64 = 1_024;
/// Most leaves that are kept for a commitment to come: 16 times what the background committer
/// puts into one, 1 MiB. Beyond, the events are read again when it comes.
pub(super) const MAX_PENDING: usize = 16_384;

/// A hash over all leaves of a stream up to a number: whatever changes in them, it differs.
///
/// Commitments chain batches as this chains events, so it also covers what is not committed, and
/// few of them find any change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Trail(pub(super) Hash32);

impl Trail {
    /// Before number 1.
    pub(super) fn new(stream: &Stream) -> Self {
        Self(Preimage::hashed(TRAIL_LABEL).raw(&stream.id().0).finish())
    }

    /// After the next number; without a leaf when it could not be had.
    #[must_use]
    pub(super) fn then(self, leaf: Option<&Hash32>) -> Self {
        let leaf = leaf.copied().unwrap_or(Hash32::ZERO);
        Self(Preimage::hashed("").raw(&self.0.0).raw(&leaf.0).finish())
    }
}

/// How far a stream was verified.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    /// What was seen, as the auditor goes on from it.
    pub(super) auditor: StreamAuditor,
    /// Over all numbers below the next one.
    pub(super) trail: Trail,
    /// The last number that could be read.
    pub(super) last: Option<NumberedLeaf>,
    /// When that was sequenced.
    pub(super) last_time: Option<Timestamp>,
    /// Distance of two marks.
    pub(super) grid: u64,
}

impl Standing {
    /// Nothing seen.
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            auditor: StreamAuditor::new(stream),
            trail: Trail::new(&stream),
            last: None,
            last_time: None,
            grid: FIRST_GRID,
        }
    }

    pub(super) fn stream(&self) -> Stream {
        self.auditor.stream()
    }

    /// The next number.
    pub(super) fn next(&self) -> u64 {
        self.auditor.next_sequence()
    }

    /// End of the last commitment that was followed, 0 without.
    pub(super) fn committed(&self) -> u64 {
        self.auditor.last_commitment().map_or(0, |last| last.sequence_end)
    }

    /// Leaves the next number out, because it cannot be had.
    pub(super) fn skip(&mut self) {
        let auditor = &self.auditor;
        let (last, pending) = (auditor.last_commitment().cloned(), auditor.pending().to_vec());
        let forgotten = auditor.forgotten();
        let next = auditor.next_sequence() + 1;
        let resumed = StreamAuditor::resume(self.stream(), next, last, pending);
        self.auditor = resumed.with_forgotten(forgotten);
        self.trail = self.trail.then(None);
    }

    /// Forgets leaves when there are too many.
    pub(super) fn bound(&mut self) {
        if self.auditor.pending().len() > MAX_PENDING {
            self.auditor.forget_pending();
        }
    }

    /// Whether the trail is marked after this number.
    pub(super) fn is_marked(&self, number: u64) -> bool {
        number.is_multiple_of(self.grid)
    }

    /// Doubles the distance of marks when there are too many; says that it did.
    pub(super) fn thin(&mut self) -> bool {
        let many = self.next() / self.grid > MAX_MARKS;
        if many {
            self.grid *= 2;
        }
        many
    }

    /// What is stored of it.
    pub(super) fn stored(&self, key: &SigningKey) -> Stored {
        let auditor = &self.auditor;
        let commitment = auditor.last_commitment().map(serde_json::to_string);
        let mut stored = Stored {
            stream: self.stream(),
            next: self.next(),
            trail: self.trail.0,
            // A commitment is plain data: writing it cannot fail.
            commitment: commitment.and_then(Result::ok),
            pending: auditor.pending().iter().flat_map(leaf_bytes).collect(),
            forgotten: auditor.forgotten(),
            last: self.last.as_ref().map(leaf_bytes).map(Vec::from),
            last_time: self.last_time,
            grid: self.grid,
            signature: Sig64::ZERO,
        };
        stored.signature = key.sign(&stored.digest());
        stored
    }
}

/// A checkpoint as it is stored.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) stream: Stream,
    pub(super) next: u64,
    pub(super) trail: Hash32,
    /// JSON of the last commitment.
    pub(super) commitment: Option<String>,
    /// Leaves since then.
    pub(super) pending: Vec<u8>,
    pub(super) forgotten: u64,
    pub(super) last: Option<Vec<u8>>,
    pub(super) last_time: Option<Timestamp>,
    pub(super) grid: u64,
    /// Of the witness, over all of it.
    pub(super) signature: Sig64,
}

impl Stored {
    /// Reads it, if it is this witness's own word.
    pub(super) fn open(&self, key: &SigningKey) -> Result<Standing, &'static str> {
        if !key.public_key().verify(&self.digest(), &self.signature) {
            return Err("its signature is not that of this witness");
        }
        let unreadable = "it cannot be read";
        let commitment = self.commitment.as_deref().map(serde_json::from_str).transpose();
        let commitment: Option<Commitment> = commitment.map_err(|_| unreadable)?;
        let (leaves, rest) = self.pending.as_chunks::<LEAF_BYTES>();
        let last = self.last.as_deref().map(|last| last.try_into().map(read_leaf));
        let last = last.transpose().map_err(|_| unreadable)?;
        if !rest.is_empty() || self.next == 0 || self.grid == 0 {
            return Err(unreadable);
        }
        let pending = leaves.iter().map(read_leaf).collect();
        let auditor = StreamAuditor::resume(self.stream, self.next, commitment, pending);
        Ok(Standing {
            auditor: auditor.with_forgotten(self.forgotten),
            trail: Trail(self.trail),
            last,
            last_time: self.last_time,
            grid: self.grid,
        })
    }

    fn digest(&self) -> Hash32 {
        let commitment = self.commitment.as_deref().unwrap_or_default();
        let last_time = self.last_time.map_or(i64::MIN, Timestamp::as_micros);
        Preimage::hashed(LABEL)
            .raw(&self.stream.id().0)
            .u64(self.next)
            .raw(&self.trail.0)
            .text(commitment)
            .counted(&self.pending)
            .u64(self.forgotten)
            .counted(self.last.as_deref().unwrap_or_default())
            .u64(last_time.cast_unsigned())
            .u64(self.grid)
            .finish()
    }
}

fn leaf_bytes(leaf: &NumberedLeaf) -> [u8; LEAF_BYTES] {
    let mut bytes = [0; LEAF_BYTES];
    bytes[..8].copy_from_slice(&leaf.sequence_number.to_be_bytes());
    bytes[8..24].copy_from_slice(leaf.event_id.as_bytes());
    bytes[24..].copy_from_slice(&leaf.leaf_hash.0);
    bytes
}

fn read_leaf(bytes: &[u8; LEAF_BYTES]) -> NumberedLeaf {
    let mut leaf =
        NumberedLeaf { sequence_number: 0, event_id: uuid::Uuid::nil(), leaf_hash: Hash32::ZERO };
    let (mut number, mut event_id) = ([0; 8], [0; 16]);
    number.copy_from_slice(&bytes[..8]);
    event_id.copy_from_slice(&bytes[8..24]);
    leaf.leaf_hash.0.copy_from_slice(&bytes[24..]);
    leaf.sequence_number = u64::from_be_bytes(number);
    leaf.event_id = uuid::Uuid::from_bytes(event_id);
    leaf
}
