//! One round: a signed event walks the whole path. No call is repeated; what fails is a failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::label::CanaryStep;
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;
use ves::canary::Slot;
use ves::wire::{CommitmentsPage, HeadResponse, IngestRequest, IngestResponse};
use ves::{Commitment, Event, EventDraft, Receipt, SigningKey, Stream, parse_event_record};

use super::commitment::{self, Chain};
use super::receipt::Published;
use super::steps::Steps;
use super::{CALL_TIMEOUT, Step, key};
use crate::app::Core;
use crate::client::Sequencer;
use crate::clock;

/// First pause between two looks for the commitment, and the longest: it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Who walks: what stays from one round to the next.
pub(super) struct Walker {
    core: Arc<Core>,
    client: Sequencer,
    slot: Slot,
    key: SigningKey,
    /// None until it is known to be registered.
    key_id: Option<u32>,
    published: Published,
    chain: Chain,
    /// The number that the last event got.
    last_number: u64,
}

impl Walker {
    pub(super) fn new(core: &Arc<Core>, client: Sequencer, slot: Slot, key: SigningKey) -> Self {
        Self {
            core: Arc::clone(core),
            client,
            slot,
            key,
            key_id: None,
            published: Published::default(),
            chain: Chain::default(),
            last_number: 0,
        }
    }

    /// Walks once.
    ///
    /// # Errors
    /// What went wrong, in words; `steps` knows where.
    pub(super) async fn walk(&mut self, steps: &Steps<'_>) -> Step<()> {
        let posted = steps.run(CanaryStep::Post, self.post(steps)).await;
        // The key may be what is wrong: the next round looks for it again.
        let (event, receipt) = posted.inspect_err(|_| self.key_id = None)?;
        let number = receipt.sequence_number;
        steps.numbered(number);
        steps.run(CanaryStep::ReadBack, self.read_back(&event, &receipt)).await?;
        let head = steps.run(CanaryStep::Commitment, self.wait_for_commitment(number)).await?;
        steps.run(CanaryStep::Proof, self.prove(&event, number, &head)).await?;
        self.published.remember(event, receipt);
        Ok(())
    }

    /// Posts an event and checks its receipt. The time counts from the request with the event.
    async fn post(&mut self, steps: &Steps<'_>) -> Step<(Event, Receipt)> {
        let info = self.client.info(CALL_TIMEOUT).await;
        self.published.learn(info.map_err(|error| format!("the sequencer's keys: {error}"))?)?;
        let key_id = match self.key_id {
            Some(key_id) => key_id,
            None => key::registered(&self.client, self.slot, &self.key).await?,
        };
        self.key_id = Some(key_id);
        steps.signs_with(key_id);
        let event = self.event(key_id)?;
        let raw = RawValue::from_string(event.to_json()).map_err(|error| error.to_string())?;
        let request = IngestRequest { agent_id: event.source_agent_id, events: vec![raw] };
        steps.restart_step();
        let answer = self.client.ingest(&request, CALL_TIMEOUT).await;
        let receipt = receipt_of(answer.map_err(|error| error.to_string())?, &event)?;
        if self.published.lacks(&receipt) {
            // The sequencer was restarted with a new key since it was asked.
            let info = self.client.info(CALL_TIMEOUT).await;
            self.published
                .learn(info.map_err(|error| format!("the sequencer's keys: {error}"))?)?;
        }
        self.published.check(&event, &receipt)?;
        let (number, last) = (receipt.sequence_number, self.last_number);
        self.last_number = number;
        if number <= last {
            return Err(format!("the event got number {number}, but {last} was given before"));
        }
        Ok((event, receipt))
    }

    fn event(&self, key_id: u32) -> Step<Event> {
        let draft = EventDraft {
            stream: self.stream(),
            event_id: Uuid::new_v4(),
            source_agent_id: self.slot.agent_id(),
            agent_key_id: key_id,
            entity_type: "canary".to_owned(),
            entity_id: format!("slot-{}", self.slot.number()),
            event_type: "canary.posted".to_owned(),
            created_at: clock::now().to_string(),
            payload: json!({ "by": "stateset-sidecar", "version": crate::VERSION }),
            command_id: None,
            base_version: None,
        };
        draft.sign(&self.key).map_err(|error| format!("the event cannot be signed: {error}"))
    }

    /// Reads the event by its id and compares every member, the receipt included.
    async fn read_back(&self, event: &Event, receipt: &Receipt) -> Step<()> {
        let Stream { tenant_id, store_id } = event.stream;
        let id = event.event_id;
        let path = format!("/api/v1/ves/events/{id}?tenant_id={tenant_id}&store_id={store_id}");
        let raw = self.client.get_bytes(&path, CALL_TIMEOUT).await;
        let raw = raw.map_err(|error| error.to_string())?;
        let text = std::str::from_utf8(&raw).map_err(|_| "the event is not UTF-8")?;
        let record = parse_event_record(text)
            .map_err(|error| format!("the event cannot be read: {error}"))?;
        let number = receipt.sequence_number;
        let wrong = if record.event != *event {
            "it is not the event that was posted"
        } else if record.receipt != *receipt {
            "its receipt is not the one that was given"
        } else if record.sequence_number != number || record.sequenced_at != receipt.sequenced_at {
            "its number or time is not the one of its receipt"
        } else {
            return Ok(());
        };
        Err(format!("event {number} was read back: {wrong}"))
    }

    /// Waits until the stream's head says that the number is committed to.
    async fn wait_for_commitment(&self, number: u64) -> Step<HeadResponse> {
        let limit = self.core.config.canary_commit_timeout_secs.duration();
        let (started, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            let head = self.client.head(self.stream(), CALL_TIMEOUT).await;
            let head = head.map_err(|error| format!("the stream's head: {error}"))?;
            let (last, committed) = (head.head_sequence, head.committed_sequence);
            if last < number || committed > last {
                return Err(format!(
                    "the head says that the stream ends at {last} and is committed up to \
                     {committed}, but event {number} is in it"
                ));
            }
            if committed >= number {
                return Ok(head);
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(format!(
                    "no commitment covers event {number} after {:.0} s: the stream is committed \
                     up to {committed} of {last}; does the background committer run \
                     (COMMITTER_MAX_WAIT_SECS)?",
                    limit.as_secs_f64()
                ));
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Gets the proof and its commitment and checks both.
    async fn prove(&mut self, event: &Event, number: u64, head: &HeadResponse) -> Step<()> {
        let stream = self.stream();
        let proof = self.client.proof(stream, number, CALL_TIMEOUT).await;
        let proof = proof.map_err(|error| format!("the proof: {error}"))?;
        let path = format!("/api/v1/ves/commitments/{}", proof.batch_id);
        let found: Commitment = self
            .client
            .get(&path, CALL_TIMEOUT)
            .await
            .map_err(|error| format!("the commitment: {error}"))?;
        commitment::check(&found, event, number)?;
        commitment::check_proof(&proof, &found, event, number)?;
        let since = match self.chain.next_start() {
            Some(from) => self
                .client
                .commitments(stream, from, CALL_TIMEOUT)
                .await
                .map_err(|error| format!("the list of commitments: {error}"))?,
            None => CommitmentsPage { commitments: Vec::new(), count: 0, next_from: None },
        };
        self.chain.follow(&found, &since, head)
    }

    fn stream(&self) -> Stream {
        self.slot.stream()
    }
}

/// The one receipt of an answer that took the event as a new one.
fn receipt_of(answer: IngestResponse, event: &Event) -> Step<Receipt> {
    if let Some(rejection) = answer.rejections.first() {
        let (reason, message) = (&rejection.reason, &rejection.message);
        return Err(format!("the event was refused: {reason}: {message}"));
    }
    let mut receipts = answer.receipts;
    let receipt = receipts.pop().ok_or("the answer holds no receipt")?;
    let number = Some(receipt.sequence_number);
    let fits = receipts.is_empty()
        && answer.events_accepted == 1
        && (answer.sequence_start, answer.sequence_end) == (number, number)
        && answer.head_sequence >= receipt.sequence_number
        && receipt.event_id == event.event_id;
    if fits { Ok(receipt) } else { Err("the answer does not fit one new event".to_owned()) }
}
