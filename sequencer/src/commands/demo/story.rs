//! The steps of the demo, each told when it has happened.

use anyhow::{Context as _, bail, ensure};
use uuid::Uuid;
use ves::commitment::check_chain;
use ves::merkle::{leaf_hash, verify_inclusion};
use ves::wire::{ProofResponse, SequencerInfo};
use ves::{Commitment, Event, EventRecord, Hash32, PublicKey, Receipt, SigningKey, Stream};

use super::sample;
use crate::client::Client;
use crate::commands::say;
use crate::secrets::{decode_seed, new_seed};

/// The event whose proof is shown.
const PROVED: u64 = 3;

/// Prints steps under ascending numbers.
struct Steps(u32);

impl Steps {
    fn done(&mut self, what: &str) {
        self.0 += 1;
        say(&format!("  {} \u{2713} {what}", self.0));
    }
}

/// Tells the story; gives the stream it played in.
pub(super) async fn tell(client: &Client, url: &str) -> anyhow::Result<Stream> {
    let stream = Stream { tenant_id: Uuid::new_v4(), store_id: Uuid::new_v4() };
    let agent_id = Uuid::new_v4();
    let info = client.sequencer().await.context("no sequencer here; `sequencer dev` starts one")?;
    say(&format!("Demo on {url}, sequencer {}", info.sequencer_id));
    say(&format!("  tenant {}", stream.tenant_id));
    say(&format!("  store  {}", stream.store_id));
    say(&format!("  agent  {agent_id}"));
    let mut steps = Steps(0);

    say("");
    say("Over HTTP");
    let key = new_key(client, stream, agent_id, &mut steps).await?;
    let (events, receipts) = post(client, stream, agent_id, &key, &mut steps).await?;
    let records = read_back(client, stream, &events, &receipts, &mut steps).await?;
    let chain = seal(client, stream, &mut steps).await?;
    let proof = client.proof(stream, PROVED).await?;
    let hashes = proof.proof_path.len();
    steps.done(&format!("fetched the inclusion proof of event {PROVED}: {hashes} hashes"));

    say("");
    say("Offline, from these answers alone");
    let record = records.get(2).context("the third event is not there")?;
    check_event(record, &key.public_key(), &mut steps)?;
    check_receipt(record, &info, &mut steps)?;
    check_proof(record, &proof, &chain, &mut steps)?;
    check_chain(&chain).map_err(|(at, error)| anyhow::anyhow!("batch {at}: {error}"))?;
    let state_root = chain.last().map_or(Hash32::ZERO, |last| last.new_state_root);
    steps.done("the state root of the stream recomputes, each linked to the one before:");
    say(&format!("      {state_root}"));
    Ok(stream)
}

async fn new_key(
    client: &Client,
    stream: Stream,
    agent_id: Uuid,
    steps: &mut Steps,
) -> anyhow::Result<SigningKey> {
    let seed = decode_seed(&new_seed()?).context("the new key cannot be read back")?;
    let key = SigningKey::from_seed(&seed);
    client.register_key((stream.tenant_id, agent_id, 1), &key).await?;
    let public_key = Hash32(*key.public_key().as_bytes());
    steps.done("made an agent key pair; registered its public half, proving we hold the other:");
    say(&format!("      {public_key}"));
    Ok(key)
}

async fn post(
    client: &Client,
    stream: Stream,
    agent_id: Uuid,
    key: &SigningKey,
    steps: &mut Steps,
) -> anyhow::Result<(Vec<Event>, Vec<Receipt>)> {
    let events = sample::events(stream, agent_id, key)?;
    let mut receipts = Vec::new();
    for request in events.chunks(3) {
        let answer = client.ingest(agent_id, request).await?;
        if let Some(rejection) = answer.rejections.first() {
            bail!("event {} was refused: {}", rejection.event_id, rejection.reason);
        }
        receipts.extend(answer.receipts);
    }
    steps.done("posted 5 signed events in 2 requests, each answered by a signed receipt:");
    for (event, receipt) in events.iter().zip(&receipts) {
        let number = receipt.sequence_number;
        say(&format!("      {number}  {:<18} {}", event.event_type, event.entity_id));
    }
    Ok((events, receipts))
}

/// What comes back must be what was signed, under the numbers 1 to 5, with the same receipts.
async fn read_back(
    client: &Client,
    stream: Stream,
    events: &[Event],
    receipts: &[Receipt],
    steps: &mut Steps,
) -> anyhow::Result<Vec<EventRecord>> {
    let page = client.events(stream, 1, 100).await?;
    let records: Result<Vec<_>, _> =
        page.events.iter().map(|raw| ves::parse_event_record(raw.get())).collect();
    let records = records?;
    let same = records.len() == events.len()
        && records.iter().zip(events).all(|(record, event)| record.event == *event)
        && records.iter().zip(receipts).all(|(record, receipt)| record.receipt == *receipt)
        && records.iter().zip(1..).all(|(record, number)| record.sequence_number == number);
    ensure!(same, "the stream does not hold what was posted");
    steps.done("read them back: numbers 1 to 5, what was signed, the same receipts");
    Ok(records)
}

/// Seals what the background committer has not sealed yet.
async fn seal(
    client: &Client,
    stream: Stream,
    steps: &mut Steps,
) -> anyhow::Result<Vec<Commitment>> {
    for _ in 0..3 {
        let head = client.head(stream).await?;
        if head.committed_sequence < head.head_sequence {
            let (start, end) = (head.committed_sequence + 1, head.head_sequence);
            match client.seal(stream, start, end).await {
                Err(error) if error.code() == Some("SEQUENCE_GAP") => continue,
                other => other?,
            };
        }
        let chain = client.commitments(stream, 1, 100).await?;
        let last = chain.last().context("there is no commitment")?;
        let (start, end) = (last.sequence_start, last.sequence_end);
        steps.done(&format!("sealed {start} to {end} as batch {}", last.batch_id));
        return Ok(chain);
    }
    bail!("somebody else kept sealing this stream")
}

fn check_event(record: &EventRecord, key: &PublicKey, steps: &mut Steps) -> anyhow::Result<()> {
    record.event.verify_payload_hash().context("the payload hash is wrong")?;
    record.event.verify_signature(key).context("the agent's signature is wrong")?;
    steps.done(&format!("event {PROVED}: payload hash and the agent's signature are right"));
    Ok(())
}

fn check_receipt(
    record: &EventRecord,
    info: &SequencerInfo,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let version = record.receipt.sequencer_key_version;
    let published = info.keys.iter().find(|key| key.key_version == version);
    let published = published.context("the receipt's key is not published")?;
    let key = PublicKey::from_bytes(&published.public_key.0)?;
    let hash = record.event.signing_hash();
    ensure!(record.receipt.verify(&key, &record.event.stream, &hash), "the receipt is wrong");
    steps.done(&format!("its receipt is signed by the published sequencer key {version}"));
    Ok(())
}

fn check_proof(
    record: &EventRecord,
    proof: &ProofResponse,
    chain: &[Commitment],
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let event = &record.event;
    let commitment = chain.iter().find(|commitment| commitment.batch_id == proof.batch_id);
    let commitment = commitment.context("the proof names a batch that is not in the chain")?;
    let leaf = leaf_hash(
        &event.stream,
        record.sequence_number,
        &event.signing_hash(),
        &event.agent_signature,
    );
    let root = commitment.merkle_root;
    let index = record.sequence_number - commitment.sequence_start;
    let count = Some(u64::from(commitment.leaf_count));
    let leads = verify_inclusion(&leaf, &root, &proof.proof_path, index, count);
    ensure!(leads, "the proof does not lead to the Merkle root");
    steps.done("its leaf, recomputed, leads over the proof to the Merkle root of the batch:");
    say(&format!("      {root}"));
    Ok(())
}
