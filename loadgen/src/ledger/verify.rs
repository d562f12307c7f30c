//! Reading the log back: every acknowledged event is there once, under its number, with the same
//! receipt; no number is missing; every receipt and signature verifies.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use uuid::Uuid;
use ves::wire::{AgentKeysPage, EventsPage, HeadResponse, SequencerInfo};
use ves::{
    EventRecord, KeySource, KeyWindow, PublicKey, Stream, StreamAuditor, ViolationKind,
    parse_event_record,
};

use super::{Entry, Ledger};
use crate::caller::{Caller, Shot};
use crate::record::LedgerSummary;

/// Events that are read at once: the most that the API gives.
const PAGE: u64 = 1000;
/// Problems that are put into words; all are counted.
const LISTED: usize = 20;
/// How long a target that does not answer is asked again.
const PATIENCE: Duration = Duration::from_secs(30);
/// Wait between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// Reads every stream of a ledger back and compares.
///
/// # Errors
/// When the log cannot be read; what is wrong with it is in the summary.
pub async fn verify(ledger: &Ledger, caller: &Caller) -> anyhow::Result<LedgerSummary> {
    let started = Instant::now();
    let mut summary = LedgerSummary {
        acknowledged: ledger.events,
        streams: ledger.streams.len() as u64,
        ..LedgerSummary::default()
    };
    for problem in &ledger.problems {
        summary.different += 1;
        say(&mut summary, format!("the ledger: {problem}"));
    }
    let mut keys = Keys::load(caller).await?;
    for (stream, entries) in &ledger.streams {
        Walk::new(*stream, entries, &mut summary).run(caller, &mut keys).await?;
    }
    summary.seconds = started.elapsed().as_secs().max(1);
    let bad = summary.missing
        + summary.different
        + summary.duplicated
        + summary.gaps
        + summary.violations;
    summary.is_sound = bad == 0 && summary.verified == summary.acknowledged;
    Ok(summary)
}

fn say(summary: &mut LedgerSummary, problem: String) {
    if summary.problems.len() < LISTED {
        summary.problems.push(problem);
    }
}

/// One stream.
struct Walk<'a> {
    auditor: StreamAuditor,
    /// By number; what is left at the end is missing.
    wanted: HashMap<u64, &'a Entry>,
    /// Identities seen, to find one that got two numbers.
    seen: HashSet<Uuid>,
    summary: &'a mut LedgerSummary,
}

impl<'a> Walk<'a> {
    fn new(stream: Stream, entries: &'a [Entry], summary: &'a mut LedgerSummary) -> Self {
        let mut wanted: HashMap<u64, &Entry> = HashMap::with_capacity(entries.len());
        for entry in entries {
            match wanted.insert(entry.sequence_number, entry) {
                // The same answer again: a request was repeated after its answer had been lost.
                Some(other) if other == entry => summary.acknowledged -= 1,
                Some(_) => {
                    summary.duplicated += 1;
                    let number = entry.sequence_number;
                    say(summary, format!("{}: number {number} was given twice", name(stream)));
                }
                None => {}
            }
        }
        Self { auditor: StreamAuditor::new(stream), wanted, seen: HashSet::new(), summary }
    }

    async fn run(mut self, caller: &Caller, keys: &mut Keys) -> anyhow::Result<()> {
        let stream = self.auditor.stream();
        let head: HeadResponse =
            get(caller, &format!("/api/v1/ves/head?{}", query(stream))).await?;
        // Beyond the last acknowledged number nothing was promised to this run.
        let last = self.wanted.keys().copied().max().unwrap_or(0).min(head.head_sequence);
        let mut from = 1;
        while from <= last {
            let limit = PAGE.min(last - from + 1);
            let path = format!("/api/v1/ves/events?{}&from={from}&limit={limit}", query(stream));
            let page: EventsPage = get(caller, &path).await?;
            let mut records = Vec::with_capacity(page.events.len());
            for raw in &page.events {
                match parse_event_record(raw.get()) {
                    Ok(record) => records.push(record),
                    Err(error) => {
                        self.summary.violations += 1;
                        let text = format!("{}: an event from {from}: {error}", name(stream));
                        say(self.summary, text);
                    }
                }
            }
            let Some(end) = records.last().map(|record| record.sequence_number) else { break };
            keys.learn(caller, &records).await?;
            for record in &records {
                self.event(record, keys);
            }
            self.auditor.forget_pending();
            // Forward in any case, whatever a server answers.
            from = end.saturating_add(1).max(from + 1);
        }
        self.finish();
        Ok(())
    }

    fn event(&mut self, record: &EventRecord, keys: &Keys) {
        let (stream, number) = (self.auditor.stream(), record.sequence_number);
        for violation in self.auditor.event(record, keys) {
            match violation.kind {
                ViolationKind::Gap => self.summary.gaps += 1,
                ViolationKind::Duplicate => self.summary.duplicated += 1,
                _ => self.summary.violations += 1,
            }
            say(self.summary, format!("{}: {violation}", name(stream)));
        }
        if !self.seen.insert(record.event.event_id) {
            self.summary.duplicated += 1;
            let text = format!("{}: {} is there twice", name(stream), record.event.event_id);
            say(self.summary, text);
        }
        let Some(entry) = self.wanted.remove(&number) else { return };
        if entry.event_id != record.event.event_id {
            self.summary.different += 1;
            let (held, given) = (record.event.event_id, entry.event_id);
            let text =
                format!("{}: number {number} was given to {given}, holds {held}", name(stream));
            say(self.summary, text);
        } else if entry.receipt_hash != record.receipt.receipt_hash {
            self.summary.different += 1;
            say(self.summary, format!("{}: the receipt of {number} is another", name(stream)));
        } else {
            self.summary.verified += 1;
        }
    }

    fn finish(self) {
        let mut missing: Vec<_> = self.wanted.values().collect();
        missing.sort_by_key(|entry| entry.sequence_number);
        for entry in missing {
            self.summary.missing += 1;
            let (number, event) = (entry.sequence_number, entry.event_id);
            let text = format!("{}: {event} is not there at {number}", name(entry.stream()));
            say(self.summary, text);
        }
    }
}

/// Published keys, as far as they were needed.
#[derive(Default)]
struct Keys {
    agents: HashMap<(Uuid, Uuid, u32), (PublicKey, KeyWindow)>,
    asked: HashSet<(Uuid, Uuid)>,
    sequencer: HashMap<u32, PublicKey>,
}

impl Keys {
    async fn load(caller: &Caller) -> anyhow::Result<Self> {
        let info: SequencerInfo = get(caller, "/api/v1/ves/sequencer").await?;
        let usable = info.keys.iter().filter_map(|entry| {
            Some((entry.key_version, PublicKey::from_bytes(&entry.public_key.0).ok()?))
        });
        Ok(Self { sequencer: usable.collect(), ..Self::default() })
    }

    /// Asks for the keys of agents that were not seen before.
    async fn learn(&mut self, caller: &Caller, records: &[EventRecord]) -> anyhow::Result<()> {
        for record in records {
            let (tenant, agent) = (record.event.stream.tenant_id, record.event.source_agent_id);
            if !self.asked.insert((tenant, agent)) {
                continue;
            }
            let path = format!("/api/v1/agents/keys?tenant_id={tenant}&agent_id={agent}");
            let page: AgentKeysPage = get(caller, &path).await?;
            for entry in page.keys {
                if let Ok(key) = PublicKey::from_bytes(&entry.public_key.0) {
                    self.agents.insert((tenant, agent, entry.key_id), (key, entry.window()));
                }
            }
        }
        Ok(())
    }
}

impl KeySource for Keys {
    fn agent_key(&self, tenant: Uuid, agent: Uuid, key_id: u32) -> Option<(PublicKey, KeyWindow)> {
        self.agents.get(&(tenant, agent, key_id)).copied()
    }

    fn sequencer_key(&self, key_version: u32) -> Option<PublicKey> {
        self.sequencer.get(&key_version).copied()
    }
}

/// Asks until there is an answer or patience ends.
async fn get<T: serde::de::DeserializeOwned>(caller: &Caller, path: &str) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match caller.send(&Shot::get(path), &[]).await {
            Ok(answer) => {
                return serde_json::from_slice(&answer.body)
                    .with_context(|| format!("{path} answered something unexpected"));
            }
            Err(failure) if failure.is_passing() && Instant::now() < deadline => {
                tokio::time::sleep(failure.retry_after.unwrap_or(PAUSE)).await;
            }
            Err(failure) => bail!("the log cannot be read back: {path}: {failure}"),
        }
    }
}

/// `tenant_id=…&store_id=…`.
#[must_use]
pub fn query(Stream { tenant_id, store_id }: Stream) -> String {
    format!("tenant_id={tenant_id}&store_id={store_id}")
}

fn name(Stream { tenant_id, store_id }: Stream) -> String {
    format!("{tenant_id}/{store_id}")
}
