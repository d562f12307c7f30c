//! Before anything is followed: does the log still hold what is remembered of it?

use std::sync::Arc;

use serde_json::{Value, json};
use ves::wire::{CommitmentsPage, HeadResponse};
use ves::{Commitment, Stream, ViolationKind};

use super::Common;
use super::checkpoint::Standing;
use super::ledger::Finding;
use super::reading::{HEAD_LIMIT, MAX_PAGE, Reading, Stopped, read};
use super::verify::{compare_leaf, of_damage};

/// Commitments that are read at once; each is about 600 bytes.
const COMMITMENTS: u32 = 100;

/// A page of commitments that start at a number or later.
pub(super) async fn commitments(
    common: &Common,
    stream: Stream,
    from: u64,
) -> Result<CommitmentsPage, Stopped> {
    let Stream { tenant_id, store_id } = stream;
    let path = format!(
        "/api/v1/ves/commitments?tenant_id={tenant_id}&store_id={store_id}&from={from}\
         &limit={COMMITMENTS}"
    );
    Ok(common.core.sequencer.get(&path, HEAD_LIMIT).await?)
}

/// What contradicts what is remembered.
pub(super) async fn compare(common: &Common, standing: &Standing) -> Result<Vec<Finding>, Stopped> {
    let stream = standing.stream();
    let head = common.core.sequencer.head(stream, HEAD_LIMIT).await?;
    let mut found: Vec<Finding> = rolled_back(standing, &head).into_iter().collect();
    if let Some(last) = standing.auditor.last_commitment() {
        found.extend(last_commitment(common, last, &head).await?);
    }
    found.extend(leaves(common, standing, head.head_sequence).await?);
    Ok(found)
}

/// A head, or an end of the commitments, that is lower than before.
pub(super) fn rolled_back(standing: &Standing, head: &HeadResponse) -> Option<Finding> {
    let (seen, committed) = (standing.next() - 1, standing.committed());
    let (number, detail) = if head.head_sequence < seen {
        let detail = format!("the head is {} but {seen} has been seen", head.head_sequence);
        (head.head_sequence, detail)
    } else if head.committed_sequence < committed {
        let end = head.committed_sequence;
        (end, format!("the commitments end at {end} but one to {committed} has been seen"))
    } else {
        return None;
    };
    Some(Finding {
        kind: ViolationKind::Rollback,
        stream: Some(standing.stream()),
        sequence_number: Some(number),
        detail,
        before: remembered(standing),
        now: json!({ "head": head }),
    })
}

async fn last_commitment(
    common: &Common,
    last: &Commitment,
    head: &HeadResponse,
) -> Result<Option<Finding>, Stopped> {
    let page = commitments(common, last.stream(), last.sequence_start).await?;
    let now = page.commitments.into_iter().next();
    if now.as_ref() == Some(last) || head.committed_sequence < last.sequence_end {
        return Ok(None);
    }
    Ok(Some(Finding {
        kind: ViolationKind::Rewritten,
        stream: Some(last.stream()),
        sequence_number: Some(last.sequence_start),
        detail: "the last commitment differs from the one seen before".to_owned(),
        before: json!({ "commitment": last }),
        now: json!({ "commitment": now }),
    }))
}

/// The events since the last commitment, of which the leaves were kept, and the last one.
async fn leaves(common: &Common, standing: &Standing, head: u64) -> Result<Vec<Finding>, Stopped> {
    let stream = standing.stream();
    let pending = standing.auditor.pending();
    let kept: Arc<Vec<_>> = Arc::new(if pending.is_empty() {
        standing.last.iter().copied().collect()
    } else {
        pending.to_vec()
    });
    let Some((first, last)) = kept.first().zip(kept.last()) else { return Ok(Vec::new()) };
    let (mut from, last) = (first.sequence_number, last.sequence_number.min(head));
    let (mut ask, mut found) = (MAX_PAGE, Vec::new());
    while from <= last {
        let rest = u32::try_from(last - from + 1).unwrap_or(MAX_PAGE);
        let records = match read(common, stream, from, ask.min(rest)).await? {
            Reading::Fewer(fewer) => {
                ask = fewer;
                continue;
            }
            Reading::Damaged(damage) => {
                found.push(of_damage(stream, from, damage));
                from += 1;
                continue;
            }
            Reading::Records { records, .. } if records.is_empty() => break,
            Reading::Records { records, ask: next, .. } => {
                ask = next;
                records
            }
        };
        from += records.len() as u64;
        let kept = Arc::clone(&kept);
        let differ = common.worker.run(move || {
            records.iter().find_map(|record| {
                let number = record.sequence_number;
                let at = kept.binary_search_by_key(&number, |leaf| leaf.sequence_number).ok()?;
                compare_leaf(record, &kept[at])
            })
        });
        // The first one tells; the others follow from it.
        if let Some(differ) = differ.await? {
            found.push(differ);
            break;
        }
    }
    Ok(found)
}

/// What is kept of a stream, as evidence.
pub(super) fn remembered(standing: &Standing) -> Value {
    json!({
        "next_sequence": standing.next(),
        "last_event": standing.last,
        "last_sequenced_at": standing.last_time,
        "last_commitment": standing.auditor.last_commitment(),
        "trail": standing.trail.0,
        "kept": "hashes and the last commitment, not the events themselves",
    })
}
