//! What is called, by scenario and route template.

use crate::scenario::Kind;

macro_rules! routes {
    ($($(#[$doc:meta])* $variant:ident => $text:literal,)+) => {
        /// A route of the API.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Route { $($(#[$doc])* $variant,)+ }

        impl Route {
            /// All of them, in the order of their place.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Method and path template.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

routes! {
    /// Liveness.
    Health => "GET /health",
    /// Readiness.
    Ready => "GET /ready",
    /// The published key.
    Sequencer => "GET /api/v1/ves/sequencer",
    /// Events in.
    Ingest => "POST /api/v1/ves/events/ingest",
    /// A range of a stream.
    Range => "GET /api/v1/ves/events",
    /// One event.
    ById => "GET /api/v1/ves/events/{event_id}",
    /// How far a stream has come.
    Head => "GET /api/v1/ves/head",
    /// The history of an entity.
    Entity => "GET /api/v1/ves/entities/{entity_type}/{entity_id}",
    /// Sealing a range.
    Commit => "POST /api/v1/ves/commitments",
    /// The list of commitments.
    Commitments => "GET /api/v1/ves/commitments",
    /// One commitment.
    Commitment => "GET /api/v1/ves/commitments/{batch_id}",
    /// An inclusion proof.
    Proof => "GET /api/v1/ves/proofs/{sequence_number}",
    /// Checking one.
    VerifyProof => "POST /api/v1/ves/proofs/verify",
    /// An agent's first key.
    RegisterKey => "POST /api/v1/agents/keys",
    /// Its next.
    RotateKey => "POST /api/v1/agents/keys/rotate",
}

/// A route as one scenario calls it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Op {
    /// Who calls.
    pub scenario: Kind,
    /// What.
    pub route: Route,
}

/// Operations that there can be.
pub const OPS: usize = Kind::ALL.len() * Route::ALL.len();

impl Op {
    /// Its place among all.
    #[must_use]
    pub fn place(self) -> usize {
        self.scenario as usize * Route::ALL.len() + self.route as usize
    }

    /// The operation at a place.
    #[must_use]
    pub fn at(place: usize) -> Option<Self> {
        let scenario = *Kind::ALL.get(place / Route::ALL.len())?;
        Some(Self { scenario, route: Route::ALL[place % Route::ALL.len()] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_has_its_operation() {
        for place in 0..OPS {
            assert_eq!(Op::at(place).map(Op::place), Some(place));
        }
        assert_eq!(Op::at(OPS), None);
    }
}
