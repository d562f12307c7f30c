//! What users do. A step of a scenario is one request, or a few that belong together; what it
//! chooses depends on the seed alone.

mod reads;
mod ves_routes;

use serde::Deserialize;

use crate::caller::Shot;
use crate::numbers::Numbers;
use crate::route::{Op, Route};
use crate::run::{Due, Run};

macro_rules! kinds {
    ($($variant:ident => $name:literal, $route:ident, $about:literal;)+) => {
        /// A scenario.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind { $(#[doc = $about] $variant,)+ }

        impl Kind {
            /// All of them, in the order of their place.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name in profiles.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it does, for `list`.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)+ }
            }

            /// The route of its first request, to which requests belong that were never sent.
            #[must_use]
            pub fn first_route(self) -> Route {
                match self { $(Self::$variant => Route::$route,)+ }
            }
        }
    };
}

kinds! {
    Health => "health", Health, "Liveness alone: the least that a request can cost.";
    Basic => "basic", Health, "Health, readiness, the published key.";
    Ingest => "ingest", Ingest, "Signed events, one or a batch a request.";
    Queries => "queries", Range, "Ranges, events by id, heads, histories of entities.";
    Commitments => "commitments", Ingest, "Posts an event, seals up to it, reads it and the list.";
    Ves => "ves", RegisterKey, "A new agent: key, rotation, event, commitment, proof, check.";
    Acceptance => "acceptance", Ingest, "70 % ingest, 20 % reads, 10 % proofs and health.";
}

impl Kind {
    /// Whether it posts events.
    #[must_use]
    pub fn posts(self) -> bool {
        matches!(self, Self::Ingest | Self::Commitments | Self::Ves | Self::Acceptance)
    }
}

/// Does one step.
pub async fn step(run: &Run, kind: Kind, mut numbers: Numbers, due: Due) {
    match kind {
        Kind::Health => get(run, kind, Route::Health, "/health", due).await,
        Kind::Basic => basic(run, kind, &mut numbers, due).await,
        Kind::Ingest => ingest(run, kind, due).await,
        Kind::Queries => reads::query(run, kind, &mut numbers, due).await,
        Kind::Commitments => ves_routes::seal(run, kind, &mut numbers, due).await,
        Kind::Ves => ves_routes::whole_way(run, kind, &mut numbers, due).await,
        Kind::Acceptance => match numbers.below(100) {
            0..70 => ingest(run, kind, due).await,
            70..90 => reads::query(run, kind, &mut numbers, due).await,
            90..95 => reads::proof(run, kind, &mut numbers, due).await,
            _ => get(run, kind, Route::Health, "/health", due).await,
        },
    }
}

async fn basic(run: &Run, kind: Kind, numbers: &mut Numbers, due: Due) {
    match numbers.below(4) {
        0 | 1 => get(run, kind, Route::Health, "/health", due).await,
        2 => get(run, kind, Route::Ready, "/ready", due).await,
        _ => get(run, kind, Route::Sequencer, "/api/v1/ves/sequencer", due).await,
    }
}

async fn get(run: &Run, scenario: Kind, route: Route, path: &str, due: Due) {
    let op = Op { scenario, route };
    run.fetch(op, &Shot::get(path), due, &[], |answer| {
        let is_json = answer.body.first() == Some(&b'{');
        if is_json { Ok(()) } else { Err("the body is no JSON object".to_owned()) }
    })
    .await;
}

async fn ingest(run: &Run, scenario: Kind, due: Due) {
    let prepared = run.signer.take();
    // In a closed profile the clock starts when the request is at hand.
    let due = if due.is_scheduled { due } else { Due::now() };
    run.post(Op { scenario, route: Route::Ingest }, &prepared, due).await;
}
