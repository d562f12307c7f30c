//! The canary's fixed place in the log: one tenant, sixteen slots.
//!
//! A sidecar proves that events are taken by posting its own. It must not fill the log with streams
//! each time it starts, so there are sixteen streams for all sidecars there will ever be, and the
//! sequencer lets a sidecar's credential write nowhere else. Both sides take the ids from here.

use uuid::Uuid;

use crate::stream::Stream;

/// Tenant of all canary streams and agents: `ca000000-0000-4000-8000-000000000000`.
pub const TENANT_ID: Uuid = Uuid::from_u128(0xca00_0000_0000_4000_8000_0000_0000_0000);

/// Number of slots.
pub const SLOTS: u8 = 16;

/// Store of slot 0: `…-000000000100`; the slot is the last digit.
const FIRST_STORE: u128 = TENANT_ID.as_u128() + 0x100;
/// Agent of slot 0: `…-000000000200`; the slot is the last digit.
const FIRST_AGENT: u128 = TENANT_ID.as_u128() + 0x200;

/// A stream of the canary with the one agent that writes it.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct Slot(u8);

impl Slot {
    /// The slot with a number; `None` from [`SLOTS`] on.
    pub const fn new(number: u8) -> Option<Self> {
        if number < SLOTS { Some(Self(number)) } else { None }
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..SLOTS).map(Self)
    }

    /// The slot of a stream, if it is one of the canary's.
    pub fn of_stream(stream: &Stream) -> Option<Self> {
        Self::all().find(|slot| slot.stream() == *stream)
    }

    /// The slot of an agent, if it is one of the canary's.
    pub fn of_agent(tenant_id: Uuid, agent_id: Uuid) -> Option<Self> {
        Self::all().find(|slot| tenant_id == TENANT_ID && slot.agent_id() == agent_id)
    }

    /// Its number, below [`SLOTS`].
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its stream.
    pub const fn stream(self) -> Stream {
        let store_id = Uuid::from_u128(FIRST_STORE + self.0 as u128);
        Stream { tenant_id: TENANT_ID, store_id }
    }

    /// The agent that writes its stream.
    pub const fn agent_id(self) -> Uuid {
        Uuid::from_u128(FIRST_AGENT + self.0 as u128)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids are in logs for ever: they never change.
    #[test]
    fn the_ids_are_these() {
        assert_eq!(TENANT_ID.to_string(), "ca000000-0000-4000-8000-000000000000");
        let texts = |slot: Slot| (slot.stream().store_id.to_string(), slot.agent_id().to_string());
        let (store, agent) = texts(Slot::new(0).unwrap());
        assert_eq!(store, "ca000000-0000-4000-8000-000000000100");
        assert_eq!(agent, "ca000000-0000-4000-8000-000000000200");
        let (store, agent) = texts(Slot::new(15).unwrap());
        assert_eq!(store, "ca000000-0000-4000-8000-00000000010f");
        assert_eq!(agent, "ca000000-0000-4000-8000-00000000020f");
        assert_eq!((Slot::new(16), Slot::all().count()), (None, 16));
    }

    #[test]
    fn only_its_own_ids_lead_to_a_slot() {
        for slot in Slot::all() {
            assert_eq!(Slot::of_stream(&slot.stream()), Some(slot));
            assert_eq!(Slot::of_agent(TENANT_ID, slot.agent_id()), Some(slot));
            let elsewhere = Stream { tenant_id: Uuid::nil(), ..slot.stream() };
            assert_eq!(Slot::of_stream(&elsewhere), None);
            assert_eq!(Slot::of_agent(Uuid::nil(), slot.agent_id()), None);
        }
        for beyond in [FIRST_STORE - 1, FIRST_STORE + u128::from(SLOTS)] {
            let stream = Stream { tenant_id: TENANT_ID, store_id: Uuid::from_u128(beyond) };
            assert_eq!(Slot::of_stream(&stream), None);
        }
        for beyond in [FIRST_AGENT - 1, FIRST_AGENT + u128::from(SLOTS)] {
            assert_eq!(Slot::of_agent(TENANT_ID, Uuid::from_u128(beyond)), None);
        }
    }
}
