//! Commitments: a root over a range of numbers, chained to the one before (VES 17).

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::bytes::{Hash32, Timestamp};
use crate::merkle::tree_depth;
use crate::preimage::{Preimage, label};
use crate::stream::Stream;

/// The state root after a batch: SHA-256 over 133 bytes (VES 17.2).
pub fn state_root(
    stream: &Stream,
    prev: &Hash32,
    merkle_root: &Hash32,
    start: u64,
    end: u64,
    leaf_count: u32,
) -> Hash32 {
    Preimage::hashed(label::STATE_ROOT)
        .raw(&stream.id().0)
        .raw(&prev.0)
        .raw(&merkle_root.0)
        .u64(start)
        .u64(end)
        .u32(leaf_count)
        .finish()
}

/// One commitment record (VES 17.3).
#[derive(Clone, Eq, PartialEq, Debug, Serialize, Deserialize)]
pub struct Commitment {
    /// Random name of the batch.
    pub batch_id: Uuid,
    /// Tenant of the stream.
    pub tenant_id: Uuid,
    /// Store of the stream.
    pub store_id: Uuid,
    /// 1.
    pub ves_version: u32,
    /// log2 of the padded leaf count.
    pub tree_depth: u32,
    /// Events in the batch, at least 1.
    pub leaf_count: u32,
    /// The next power of two.
    pub padded_leaf_count: u32,
    /// VES 15.
    pub merkle_root: Hash32,
    /// `new_state_root` of the commitment before, zero for the first.
    pub prev_state_root: Hash32,
    /// VES 17.2.
    pub new_state_root: Hash32,
    /// First number, inclusive.
    pub sequence_start: u64,
    /// Last number, inclusive.
    pub sequence_end: u64,
    /// The sequencer's clock.
    pub committed_at: Timestamp,
}

/// Why a commitment does not follow the one before (VES 17.5).
#[derive(Copy, Clone, Eq, PartialEq, Debug, thiserror::Error)]
pub enum ChainError {
    /// It starts later than one after the last end (or than 1).
    #[error("gap")]
    Gap,
    /// It starts earlier.
    #[error("overlap")]
    Overlap,
    /// The leaf count, the padded count or the depth does not fit the range.
    #[error("count_mismatch")]
    CountMismatch,
    /// `prev_state_root` is not the last `new_state_root`, or the stream is another one.
    #[error("prev_root_mismatch")]
    PrevRootMismatch,
    /// `new_state_root` does not recompute.
    #[error("state_root_mismatch")]
    StateRootMismatch,
}

impl Commitment {
    /// Completes a commitment over `leaf_count` numbers from `start` (VES 17.2, 17.3).
    ///
    /// A range that would pass the largest number ends there and fails [`check_link`].
    pub fn seal(
        stream: &Stream,
        batch_id: Uuid,
        start: u64,
        merkle_root: Hash32,
        leaf_count: u32,
        prev_state_root: Hash32,
        committed_at: Timestamp,
    ) -> Self {
        let end = start.saturating_add(u64::from(leaf_count)).saturating_sub(1);
        Self {
            batch_id,
            tenant_id: stream.tenant_id,
            store_id: stream.store_id,
            ves_version: 1,
            tree_depth: tree_depth(u64::from(leaf_count)),
            leaf_count,
            padded_leaf_count: padded(leaf_count),
            merkle_root,
            prev_state_root,
            new_state_root: state_root(
                stream,
                &prev_state_root,
                &merkle_root,
                start,
                end,
                leaf_count,
            ),
            sequence_start: start,
            sequence_end: end,
            committed_at,
        }
    }

    /// The stream the commitment belongs to.
    pub fn stream(&self) -> Stream {
        Stream { tenant_id: self.tenant_id, store_id: self.store_id }
    }
}

/// Checks that a commitment follows `previous`, or opens a stream (VES 17.4 rule 3 \[H\], 17.5).
///
/// # Errors
/// The first of the [`ChainError`] rules, in their order, that is broken.
pub fn check_link(previous: Option<&Commitment>, next: &Commitment) -> Result<(), ChainError> {
    let (expected_start, prev_root) = match previous {
        Some(previous) => (previous.sequence_end.checked_add(1), previous.new_state_root),
        None => (Some(1), Hash32::ZERO),
    };
    match expected_start {
        Some(expected) if next.sequence_start > expected => return Err(ChainError::Gap),
        Some(expected) if next.sequence_start == expected => {}
        _ => return Err(ChainError::Overlap),
    }
    let span = next.sequence_end.checked_sub(next.sequence_start);
    let count_fits = span.and_then(|span| span.checked_add(1)) == Some(next.leaf_count.into());
    let tree_fits = next.padded_leaf_count == padded(next.leaf_count)
        && next.tree_depth == tree_depth(u64::from(next.leaf_count));
    if next.leaf_count == 0 || !count_fits || !tree_fits {
        return Err(ChainError::CountMismatch);
    }
    let same_stream = previous.is_none_or(|previous| previous.stream() == next.stream());
    if next.prev_state_root != prev_root || !same_stream {
        return Err(ChainError::PrevRootMismatch);
    }
    let recomputed = state_root(
        &next.stream(),
        &next.prev_state_root,
        &next.merkle_root,
        next.sequence_start,
        next.sequence_end,
        next.leaf_count,
    );
    if next.new_state_root == recomputed { Ok(()) } else { Err(ChainError::StateRootMismatch) }
}

/// Checks a whole chain from the first commitment of a stream (VES 17.5).
///
/// # Errors
/// The index of the first commitment that does not follow, and why.
pub fn check_chain(chain: &[Commitment]) -> Result<(), (usize, ChainError)> {
    let mut previous = None;
    for (index, commitment) in chain.iter().enumerate() {
        check_link(previous, commitment).map_err(|error| (index, error))?;
        previous = Some(commitment);
    }
    Ok(())
}

/// A count above 2^31 has no power of two in 32 bits; no commitment may be that large.
fn padded(leaf_count: u32) -> u32 {
    leaf_count.checked_next_power_of_two().unwrap_or(0)
}
