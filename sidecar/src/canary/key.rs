//! The canary's slot, and the key of the agent that writes it. Neither is kept anywhere: the slot
//! follows from where the sidecar runs, the key from the API key, so a restart changes nothing.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use ves::canary::{SLOTS, Slot, TENANT_ID};
use ves::wire::AgentKeyEntry;
use ves::{Hash32, KeyStatus, SigningKey, proof_of_possession_challenge};

use super::{CALL_TIMEOUT, Step};
use crate::client::{CallError, Sequencer};
use crate::clock;
use crate::config::{Config, Secret};

/// Separates this use of the API key from every other one.
const SEED_LABEL: &[u8] = b"STATESET_SIDECAR_CANARY_AGENT_KEY_V1";
/// Another sidecar may take the next id at the same moment; twice is chance, more is not.
const REGISTRATIONS: u32 = 3;

/// The configured slot, or the one that follows from the machine's name and the port.
pub(super) fn slot(config: &Config) -> Slot {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let place = Sha256::new().chain_update(host.trim()).chain_update([0]);
    let place = place.chain_update(config.sidecar_port.to_be_bytes()).finalize();
    let number = config.canary_slot.unwrap_or(place[0] % SLOTS);
    // Both are below the number of slots.
    Slot::new(number).unwrap_or_else(|| Slot::all().next().expect("there are slots"))
}

/// The agent's key of a slot under an API key.
pub(super) fn signing_key(api_key: &Secret, slot: Slot) -> SigningKey {
    let seed = Sha256::new()
        .chain_update(SEED_LABEL)
        .chain_update([slot.number()])
        .chain_update(api_key.expose());
    SigningKey::from_seed(&seed.finalize().into())
}

/// The id under which the key is registered; registers it under the next one if it is not.
pub(super) async fn registered(client: &Sequencer, slot: Slot, key: &SigningKey) -> Step<u32> {
    let public_key = Hash32(*key.public_key().as_bytes());
    for _ in 0..REGISTRATIONS {
        let keys = client
            .agent_keys(TENANT_ID, slot.agent_id(), CALL_TIMEOUT)
            .await
            .map_err(|error| format!("the list of the canary's keys: {error}"))?
            .keys;
        if let Some(entry) = keys.iter().find(|entry| entry.public_key == public_key) {
            return usable(entry).map(|()| entry.key_id);
        }
        let next = keys.iter().map(|entry| entry.key_id).max().unwrap_or(0).saturating_add(1);
        match register(client, slot, next, key).await {
            Ok(()) => {
                let slot = slot.number();
                tracing::info!(slot, key_id = next, "the canary registered its agent's key");
                return Ok(next);
            }
            // Somebody else took the id meanwhile.
            Err(CallError::Refused { status: 409, .. }) => {}
            Err(error) => return Err(format!("registering the canary's key: {error}")),
        }
    }
    Err("registering the canary's key: others take each id first".to_owned())
}

/// A key that somebody ended on purpose is not put back under another id.
fn usable(entry: &AgentKeyEntry) -> Step<()> {
    let key_id = entry.key_id;
    match entry.window().live_status(clock::now()) {
        KeyStatus::Active => Ok(()),
        other => Err(format!(
            "the canary's agent key {key_id} is {}; give the canary another CANARY_API_KEY or \
             CANARY_SLOT",
            other.as_str()
        )),
    }
}

async fn register(
    client: &Sequencer,
    slot: Slot,
    key_id: u32,
    key: &SigningKey,
) -> Result<(), CallError> {
    let public_key = key.public_key();
    let proof = key.sign(&proof_of_possession_challenge(public_key.as_bytes()));
    let body = json!({
        "tenantId": TENANT_ID,
        "agentId": slot.agent_id(),
        "keyId": key_id,
        "publicKey": Hash32(*public_key.as_bytes()),
        "proofOfPossession": proof,
    });
    client.post::<Value>("/api/v1/agents/keys", &body, CALL_TIMEOUT).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_key_and_slot_has_a_key_of_its_own_that_never_changes() {
        let public = |api_key: &str, slot| {
            let key = signing_key(&Secret::from(api_key.to_owned()), Slot::new(slot).unwrap());
            Hash32(*key.public_key().as_bytes()).to_string()
        };
        assert_eq!(
            public("ss_ca000000canarycanarycanarycanary", 3),
            "fb484e87d07b211d4d16613f56185d7e90833e6f3546baab0b8c70f67a558493"
        );
        let keys = [public("one", 0), public("one", 1), public("two", 0)];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{keys:?}");
    }
}
