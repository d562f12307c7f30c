//! Whether an event is committed to: the commitment recomputes, follows the ones before, and the
//! proof leads from the event's own leaf to its root. Nothing is taken from the sequencer that can
//! be computed.

use ves::commitment::check_link;
use ves::merkle::{leaf_hash, verify_inclusion};
use ves::wire::{CommitmentsPage, HeadResponse, ProofResponse};
use ves::{Commitment, Event};

use super::Step;

/// The last commitment that was good; the next must follow it.
#[derive(Default)]
pub(super) struct Chain {
    last: Option<Commitment>,
}

impl Chain {
    /// Where to read on; `None` before the first commitment.
    pub(super) fn next_start(&self) -> Option<u64> {
        self.last.as_ref().map(|last| last.sequence_end.saturating_add(1))
    }

    /// Checks that a commitment is the last good one, or follows from it over what the list shows
    /// since, and that the head agrees. Before the first there is nothing to follow.
    ///
    /// # Errors
    /// What breaks the chain. Once that is reported the chain begins anew: a canary is no witness,
    /// and the next round is to say what works then.
    pub(super) fn follow(
        &mut self,
        found: &Commitment,
        since: &CommitmentsPage,
        head: &HeadResponse,
    ) -> Step<()> {
        match self.last.take() {
            Some(last) if last != *found => reaches(&last, found, since)?,
            _ => {}
        }
        let is_last = head.committed_sequence == found.sequence_end;
        if is_last && head.last_state_root != Some(found.new_state_root) {
            return Err("the head shows another state root than the commitment's".to_owned());
        }
        self.last = Some(found.clone());
        Ok(())
    }
}

/// Walks the list from the last good commitment to the one found.
fn reaches(last: &Commitment, found: &Commitment, since: &CommitmentsPage) -> Step<()> {
    let mut previous = last;
    for next in &since.commitments {
        check_link(Some(previous), next).map_err(|error| {
            let (from, to) = (next.sequence_start, next.sequence_end);
            format!("the commitment of {from} to {to} does not follow the one before: {error}")
        })?;
        previous = next;
        if next == found {
            return Ok(());
        }
    }
    Err(format!("commitment {} is not in the list of commitments", found.batch_id))
}

/// Checks that a commitment is whole by itself and covers the number.
///
/// # Errors
/// What does not fit.
pub(super) fn check(commitment: &Commitment, event: &Event, number: u64) -> Step<()> {
    let (start, end) = (commitment.sequence_start, commitment.sequence_end);
    if commitment.stream() != event.stream || !(start..=end).contains(&number) {
        return Err(format!("the commitment {start} to {end} does not cover event {number}"));
    }
    // Everything else of a commitment follows from these.
    let again = Commitment::seal(
        &event.stream,
        commitment.batch_id,
        start,
        commitment.merkle_root,
        commitment.leaf_count,
        commitment.prev_state_root,
        commitment.committed_at,
    );
    if again.new_state_root != commitment.new_state_root {
        return Err("the commitment's state root does not recompute".to_owned());
    }
    if again != *commitment {
        return Err("the commitment's counts do not fit its range".to_owned());
    }
    Ok(())
}

/// Checks that a proof leads from the event to the root of its commitment.
///
/// # Errors
/// What does not fit.
pub(super) fn check_proof(
    proof: &ProofResponse,
    commitment: &Commitment,
    event: &Event,
    number: u64,
) -> Step<()> {
    let index = number - commitment.sequence_start;
    let leaf = leaf_hash(&event.stream, number, &event.signing_hash(), &event.agent_signature);
    let left = |level: u32| index.checked_shr(level).unwrap_or(0) & 1 == 0;
    let wrong = if proof.sequence_number != number || proof.batch_id != commitment.batch_id {
        "is of another event or commitment"
    } else if proof.leaf_hash != leaf {
        "names another leaf than the event's"
    } else if proof.merkle_root != commitment.merkle_root {
        "names another root than the commitment's"
    } else if proof.leaf_index != index {
        "names another place of the leaf"
    } else if proof.directions.len() != proof.proof_path.len()
        || !proof.directions.iter().copied().eq((0..).map(left).take(proof.directions.len()))
    {
        "turns where the leaf's place does not"
    } else {
        let count = Some(u64::from(commitment.leaf_count));
        if verify_inclusion(&leaf, &commitment.merkle_root, &proof.proof_path, index, count) {
            return Ok(());
        }
        "does not lead from the event to the commitment's root"
    };
    Err(format!("the proof {wrong}"))
}
