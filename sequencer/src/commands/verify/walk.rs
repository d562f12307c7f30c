//! The walk over a log: every event in order, every commitment right after its last event.

use std::collections::VecDeque;

use anyhow::Context as _;
use ves::wire::HeadResponse;
use ves::{Commitment, EventRecord, Hash32, Stream, StreamAuditor, Timestamp, ViolationKind};

use super::keys::Keys;
use super::log::{Log, PAGE, Page, Problem, Read, Unread};
use super::report::Report;

/// Walks over these streams, given with their heads, and reports what is wrong.
///
/// # Errors
/// When a stream cannot be read for a reason that says nothing about it.
pub(super) async fn all(
    mut log: Box<dyn Log>,
    streams: &[(Stream, u64)],
    report: &mut Report,
) -> anyhow::Result<()> {
    report.expect_events(streams.iter().fold(0, |sum, (_, head)| sum.saturating_add(*head)));
    let mut keys = match Keys::new(log.as_mut()).await {
        Ok(keys) => keys,
        Err(error) => anyhow::bail!("the receipt keys cannot be read: {}", error.detail()?),
    };
    for (stream, _) in streams {
        report.stream();
        let walked = async {
            let head = log.head(*stream).await?;
            let ends = Ends { committed: head.committed_sequence, next: Some(1) };
            let mut walk = Walk {
                auditor: StreamAuditor::new(*stream),
                log: log.as_mut(),
                keys: &mut keys,
                report: &mut *report,
                waiting: VecDeque::new(),
                ends,
                last_time: None,
            };
            walk.run(&head).await
        };
        if let Err(error) = walked.await {
            let Stream { tenant_id, store_id } = stream;
            let context = || format!("cannot read stream {tenant_id}/{store_id}");
            let detail = error.detail().with_context(context)?;
            report.add(Some(*stream), unreadable(None, detail));
        }
    }
    Ok(())
}

fn unreadable(sequence_number: Option<u64>, detail: String) -> Problem {
    Problem { kind: "unreadable", sequence_number, detail }
}

/// Where the commitments of the walk end.
struct Ends {
    /// Last number that was committed when the walk began.
    committed: u64,
    /// Where the next page of commitments starts; none after the last.
    next: Option<u64>,
}

/// One stream under way.
struct Walk<'a> {
    auditor: StreamAuditor,
    log: &'a mut dyn Log,
    keys: &'a mut Keys,
    report: &'a mut Report,
    /// Commitments that are read and not yet shown.
    waiting: VecDeque<Commitment>,
    ends: Ends,
    last_time: Option<Timestamp>,
}

impl Walk<'_> {
    async fn run(&mut self, head: &HeadResponse) -> Read<()> {
        let stream = self.auditor.stream();
        // No number is above what a store can hold, whatever a server claims.
        let last = head.head_sequence.min(i64::MAX.cast_unsigned());
        let rolled_back = self.auditor.head(head.head_sequence);
        self.violations(rolled_back);
        let mut from = 1;
        // One by one up to here, because a page of which one event is damaged gives none.
        let mut careful_until = 0;
        let mut unread_in_a_row = 0;
        while from <= last && unread_in_a_row < PAGE {
            // Not beyond the head of the beginning: a living log grows meanwhile.
            let rest = u32::try_from(last - from + 1).unwrap_or(PAGE).min(PAGE);
            let limit = if from < careful_until { 1 } else { rest };
            let problem = match self.log.events(stream, from, limit).await {
                Ok(page) if !page.is_empty() => {
                    let seen = page.records.last().map_or(0, |record| record.sequence_number);
                    self.page(page).await?;
                    // Forward in any case, whatever a server answers.
                    from = (from + 1).max(seen.saturating_add(1));
                    unread_in_a_row = 0;
                    continue;
                }
                Ok(_) | Err(Unread::Missing) => None,
                Err(Unread::Damaged(detail)) => Some(unreadable(Some(from), detail)),
                Err(failed) => return Err(failed),
            };
            if limit > 1 {
                careful_until = from + u64::from(limit);
                continue;
            }
            // That a number is missing shows when the next one comes, or at the end.
            if let Some(problem) = problem {
                self.problem(problem);
            }
            from += 1;
            unread_in_a_row += 1;
        }
        self.finish(head).await
    }

    async fn page(&mut self, page: Page) -> Read<()> {
        self.keys.load(self.log, &page.records).await?;
        for problem in page.problems {
            self.problem(problem);
        }
        for record in &page.records {
            self.commitments_before(record.sequence_number).await?;
            self.event(record);
        }
        let rolled_back = self.auditor.head(page.head);
        self.violations(rolled_back);
        self.report.events(page.records.len() as u64);
        Ok(())
    }

    fn event(&mut self, record: &EventRecord) {
        let mut violations = self.auditor.event(record, &*self.keys);
        if !self.log.has_receipts() {
            violations.retain(|violation| violation.kind != ViolationKind::Receipt);
        }
        self.violations(violations);
        let time = record.sequenced_at;
        if self.last_time.is_some_and(|last| time < last) {
            let detail = "it was sequenced before the event before it".to_owned();
            let sequence_number = Some(record.sequence_number);
            self.problem(Problem { kind: "time", sequence_number, detail });
        }
        self.last_time = self.last_time.max(Some(time));
    }

    /// Shows the commitments that end before this number.
    async fn commitments_before(&mut self, number: u64) -> Read<()> {
        loop {
            if self.waiting.is_empty() {
                self.read_commitments().await?;
            }
            match self.waiting.front() {
                Some(next) if next.sequence_end < number => {}
                _ => return Ok(()),
            }
            if let Some(commitment) = self.waiting.pop_front() {
                self.commitment(&commitment).await?;
            }
        }
    }

    async fn read_commitments(&mut self) -> Read<()> {
        let Some(from) = self.ends.next else { return Ok(()) };
        let page = match self.log.commitments(self.auditor.stream(), from).await {
            Ok(page) => page,
            Err(error) => {
                let detail = error.detail().map_err(Unread::Failed)?;
                let detail = format!("commitments that start at {from} or later: {detail}");
                self.problem(unreadable(None, detail));
                Vec::new()
            }
        };
        let last = page.last().map(|last| last.sequence_start);
        // Forward in any case; a later commitment belongs to a later walk.
        let is_over = last.is_none_or(|last| last < from || last >= self.ends.committed);
        self.ends.next = if is_over { None } else { last.map(|last| last.saturating_add(1)) };
        let committed = self.ends.committed;
        self.waiting.extend(page.into_iter().filter(|next| next.sequence_start <= committed));
        Ok(())
    }

    async fn commitment(&mut self, commitment: &Commitment) -> Read<()> {
        let range = commitment.sequence_start..=commitment.sequence_end;
        let leaves = self.auditor.pending().iter();
        let leaves: Vec<Hash32> = leaves
            .filter(|leaf| range.contains(&leaf.sequence_number))
            .map(|leaf| leaf.leaf_hash)
            .collect();
        let violations = self.auditor.commitment(commitment);
        self.violations(violations);
        self.report.commitment();
        // Over other leaves than these the tree must differ; the auditor has said so already.
        if u32::try_from(leaves.len()) == Ok(commitment.leaf_count) {
            for problem in self.log.check_tree(commitment, &leaves).await? {
                self.problem(problem);
            }
        }
        Ok(())
    }

    async fn finish(&mut self, head: &HeadResponse) -> Read<()> {
        self.commitments_before(u64::MAX).await?;
        let (next, last) = (self.auditor.next_sequence(), head.head_sequence);
        if next <= last {
            let seen = next - 1;
            let detail = format!("the head is {last}, nothing can be read soon after {seen}");
            self.problem(Problem { kind: "gap", sequence_number: Some(next), detail });
        }
        let shown = self.auditor.last_commitment();
        let (end, root) =
            shown.map_or((0, None), |last| (last.sequence_end, Some(last.new_state_root)));
        if (end, root) != (head.committed_sequence, head.last_state_root) {
            let stated = head.committed_sequence;
            let detail = format!(
                "the commitments end at {end}, the head names {stated} or another state root"
            );
            self.problem(Problem { kind: "head", sequence_number: Some(end), detail });
        }
        for problem in self.log.check_end(self.auditor.stream(), head).await? {
            self.problem(problem);
        }
        Ok(())
    }

    fn violations(&mut self, violations: Vec<ves::Violation>) {
        for violation in violations {
            self.problem(violation.into());
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.report.add(Some(self.auditor.stream()), problem);
    }
}
