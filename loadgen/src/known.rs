//! What is in the log, as far as this run knows: something for readers to ask for.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;
use ves::Stream;

use crate::numbers::Numbers;

/// Events that are remembered: the newest.
const REMEMBERED: usize = 4096;

/// An event that was acknowledged.
#[derive(Clone, Debug)]
pub struct KnownEvent {
    /// Its stream.
    pub stream: Stream,
    /// Its identity.
    pub event_id: Uuid,
    /// Its number.
    pub sequence_number: u64,
    /// Whose history it belongs to.
    pub entity_id: String,
}

/// What readers may ask for.
#[derive(Debug, Default)]
pub struct Known {
    newest: Mutex<VecDeque<KnownEvent>>,
    /// Last sealed number of a stream; the numbers up to it have proofs.
    sealed: Mutex<Vec<(Stream, u64)>>,
}

impl Known {
    /// An event was acknowledged.
    pub fn add(&self, event: KnownEvent) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() == REMEMBERED {
            newest.pop_front();
        }
        newest.push_back(event);
    }

    /// A stream is sealed up to a number.
    pub fn sealed(&self, stream: Stream, number: u64) {
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner).push((stream, number));
    }

    /// One of the newest events.
    pub fn any(&self, numbers: &mut Numbers) -> Option<KnownEvent> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.get(numbers.below(newest.len())).cloned()
    }

    /// A number that has a proof.
    pub fn any_sealed(&self, numbers: &mut Numbers) -> Option<(Stream, u64)> {
        let sealed = self.sealed.lock().unwrap_or_else(PoisonError::into_inner);
        let (stream, last) = *sealed.get(numbers.below(sealed.len()))?;
        Some((stream, 1 + numbers.next_u64() % last.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_are_remembered() {
        let (known, mut numbers) = (Known::default(), Numbers::of(1, 1));
        assert!(known.any(&mut numbers).is_none() && known.any_sealed(&mut numbers).is_none());
        let stream = Stream { tenant_id: Uuid::nil(), store_id: Uuid::nil() };
        for sequence_number in 1..=REMEMBERED as u64 + 10 {
            let (event_id, entity_id) = (Uuid::nil(), String::new());
            known.add(KnownEvent { stream, event_id, sequence_number, entity_id });
        }
        known.sealed(stream, 5);
        for _ in 0..100 {
            assert!(known.any(&mut numbers).is_some_and(|event| event.sequence_number > 10));
            assert!(known.any_sealed(&mut numbers).is_some_and(|(_, n)| (1..=5).contains(&n)));
        }
    }
}
