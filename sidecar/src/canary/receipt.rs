//! Whether a receipt is what the sequencer owes: it fits the event, its hash recomputes, and its
//! signature is by the published key of its version. The canary remembers the published keys and
//! its last good receipt, so a key that changes under its version, or vanishes, shows.

use std::collections::BTreeMap;

use ves::wire::SequencerInfo;
use ves::{Event, Hash32, PublicKey, Receipt, receipt_hash};

use super::Step;

/// Published keys that are looked at: a sequencer has one more with each rotation.
const MAX_KEYS: usize = 1_000;

/// What the sequencer has published so far.
#[derive(Default)]
pub(super) struct Published {
    info: Option<SequencerInfo>,
    /// Each version's key as it was first seen.
    first_seen: BTreeMap<u32, Hash32>,
    /// An event with the receipt that was good for it.
    remembered: Option<(Event, Receipt)>,
}

impl Published {
    /// True when the key of this receipt has not been seen: it may be newer than what is known.
    pub(super) fn lacks(&self, receipt: &Receipt) -> bool {
        !self.first_seen.contains_key(&receipt.sequencer_key_version)
    }

    /// Takes what the sequencer publishes now.
    ///
    /// # Errors
    /// When a version's key is another one than before, or the last good receipt is not any more.
    /// Once that is reported it is the new truth of the canary: it is no witness, and the next
    /// round is to say what works then.
    pub(super) fn learn(&mut self, info: SequencerInfo) -> Step<()> {
        self.compare(info).inspect_err(|_| *self = Self::default())
    }

    fn compare(&mut self, info: SequencerInfo) -> Step<()> {
        if info.keys.len() > MAX_KEYS {
            return Err(format!("the sequencer publishes {} receipt keys", info.keys.len()));
        }
        for key in &info.keys {
            let version = key.key_version;
            let first = *self.first_seen.entry(version).or_insert(key.public_key);
            if first != key.public_key {
                let now = key.public_key;
                return Err(format!("receipt key {version} was {first} and is now {now}"));
            }
        }
        self.info = Some(info);
        match &self.remembered {
            Some((event, receipt)) => self.check(event, receipt).map_err(|reason| {
                let number = receipt.sequence_number;
                format!("the receipt of event {number}, which was good, is not any more: {reason}")
            }),
            None => Ok(()),
        }
    }

    /// Checks the receipt of an event.
    ///
    /// # Errors
    /// What does not fit.
    pub(super) fn check(&self, event: &Event, receipt: &Receipt) -> Step<()> {
        let info = self.info.as_ref().ok_or("the sequencer's keys are not known")?;
        if receipt.event_id != event.event_id {
            return Err(format!("the receipt is for event {}", receipt.event_id));
        }
        if receipt.sequencer_id != info.sequencer_id {
            let (found, expect) = (receipt.sequencer_id, info.sequencer_id);
            return Err(format!("the receipt names sequencer {found}, this one is {expect}"));
        }
        let version = receipt.sequencer_key_version;
        let key = info.keys.iter().find(|key| key.key_version == version);
        let key = key.ok_or_else(|| format!("receipt key {version} is not published"))?;
        let key = PublicKey::from_bytes(&key.public_key.0)
            .map_err(|error| format!("receipt key {version} is not usable: {error}"))?;
        let (stream, signing_hash) = (&event.stream, event.signing_hash());
        let number = receipt.sequence_number;
        if receipt.receipt_hash != receipt_hash(stream, &event.event_id, number, &signing_hash) {
            return Err("the receipt's hash does not recompute from the event".to_owned());
        }
        if !receipt.verify(&key, stream, &signing_hash) {
            return Err(format!("the receipt is not signed by the published key {version}"));
        }
        Ok(())
    }

    /// Remembers a receipt that was good.
    pub(super) fn remember(&mut self, event: Event, receipt: Receipt) {
        self.remembered = Some((event, receipt));
    }
}
