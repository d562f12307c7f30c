//! Everything about an ingest request that can be decided off the write path (VES 10 and 11).

use std::collections::{HashMap, HashSet};
use std::fmt;

use catalog::label::VerificationOutcome;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;
use ves::bytes::parse_uuid;
use ves::{EnvelopeLimits, Event, Hash32, Refusal, Stream, Submission, parse_submission};

use crate::app::App;
use crate::auth::Principal;
use crate::clock;
use crate::error::{ApiError, ApiResult, Code};
use crate::http::require_object;
use crate::store::sequencing::Fingerprint;
use crate::store::{EventOutcome, PreparedEvent};

/// Deepest nesting of a payload: three containers of the request are around it, the body,
/// `events` and the envelope (VES 6.1).
pub const MAX_PAYLOAD_DEPTH: usize = ves::CanonicalLimits::STRICT.max_depth - 3;
/// Signatures checked before other tasks get a turn: about half a millisecond.
const CHECKS_PER_TURN: usize = 8;

/// A request whose events are all of one stream and one agent.
pub(super) struct Prepared {
    pub(super) stream: Stream,
    /// In request order.
    pub(super) offers: Vec<Offer>,
}

/// One event of a request.
pub(super) struct Offer {
    pub(super) event_id: Uuid,
    pub(super) verdict: Verdict,
}

/// How far an event got.
pub(super) enum Verdict {
    /// It passed every check that needs no lock.
    Good(Box<PreparedEvent>),
    /// Nothing is left to decide. The signing hash is that of the stored event for a replay.
    Decided(Hash32, EventOutcome),
}

/// Parses, authorises and checks a request.
pub(super) async fn prepare(app: &App, caller: &Principal, body: &[u8]) -> ApiResult<Prepared> {
    let body = std::str::from_utf8(body)
        .map_err(|_| ApiError::new(Code::InvalidRequestBody, "the body is not UTF-8"))?;
    let mut parsing = app.tracing.part("parse");
    let (agent_id, elements) = parse_wrapper(app, body)?;
    parsing.count("sequencer.events", elements.len());
    let submissions = parse_elements(app, agent_id, &elements)?;
    drop(parsing);
    let Some(stream) = submissions.first().map(|submission| submission.stream) else {
        return Err(ApiError::field("events", "must hold at least one event"));
    };
    if caller.agent_id().is_some_and(|bound| bound != agent_id) {
        let message = format!("this credential may not post for agent {agent_id}");
        return Err(ApiError::new(Code::InsufficientPermissions, message));
    }
    caller.require_change(&stream)?;
    let verifying = app.tracing.part("verify");
    let mut offers = check_events(app, submissions).await?;
    settle_known_ids(app, stream, &mut offers).await?;
    drop(verifying);
    let offers = offers.into_iter().map(Checked::into_offer).collect();
    Ok(Prepared { stream, offers })
}

/// The outer object. Elements beyond the limit are counted, not kept.
#[derive(Deserialize)]
struct Wrapper<'a> {
    #[serde(borrow, rename = "agentId")]
    agent_id: Option<&'a RawValue>,
    #[serde(borrow)]
    events: Option<&'a RawValue>,
}

fn parse_wrapper<'a>(app: &App, body: &'a str) -> ApiResult<(Uuid, Vec<&'a RawValue>)> {
    require_object(body.as_bytes())?;
    let wrapper: Wrapper<'a> = serde_json::from_str(body).map_err(|error| {
        let message = format!("the body must be an object with `agentId` and `events`: {error}");
        ApiError::new(Code::InvalidRequestBody, message)
    })?;
    let missing =
        |name: &str| ApiError::new(Code::MissingRequiredField, format!("`{name}` is missing"));
    let agent_id = wrapper.agent_id.ok_or_else(|| missing("agentId"))?;
    let agent_id: Option<&str> = serde_json::from_str(agent_id.get()).ok();
    let agent_id = agent_id.and_then(parse_uuid).ok_or_else(|| {
        ApiError::field("agentId", "must be a UUID in lower-case hyphenated form")
    })?;
    let events = wrapper.events.ok_or_else(|| missing("events"))?;
    let limit = app.config.max_events_per_batch as usize;
    let mut deserializer = serde_json::Deserializer::from_str(events.get());
    let (elements, count) = deserializer
        .deserialize_seq(Bounded { limit })
        .map_err(|_| ApiError::field("events", "must be an array of event envelopes"))?;
    if count > limit {
        let message = format!("{count} events in one request, at most {limit} are taken");
        return Err(ApiError::new(Code::BatchTooLarge, message)
            .with_details(serde_json::json!({ "max_events": limit })));
    }
    Ok((agent_id, elements))
}

/// Reads an array of raw elements, keeping at most `limit` of them.
struct Bounded {
    limit: usize,
}

impl<'de> Visitor<'de> for Bounded {
    type Value = (Vec<&'de RawValue>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < self.limit {
            let Some(element) = seq.next_element()? else {
                let count = elements.len();
                return Ok((elements, count));
            };
            elements.push(element);
        }
        let mut count = elements.len();
        while seq.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok((elements, count))
    }
}

fn parse_elements(app: &App, agent_id: Uuid, elements: &[&RawValue]) -> ApiResult<Vec<Submission>> {
    let limits = EnvelopeLimits {
        max_payload_bytes: app.config.max_event_payload_size as usize,
        max_payload_depth: MAX_PAYLOAD_DEPTH,
    };
    let mut submissions: Vec<Submission> = Vec::with_capacity(elements.len());
    for (place, element) in elements.iter().enumerate() {
        let submission = parse_submission(element.get(), &limits).map_err(|error| {
            let name = match error.member {
                Some(member) => format!("events[{place}].{member}"),
                None => format!("events[{place}]"),
            };
            ApiError::new(Code::InvalidFieldValue, format!("`{name}`: {}", error.message))
        })?;
        if submission.source_agent_id != agent_id {
            let name = format!("events[{place}].source_agent_id");
            return Err(ApiError::field(&name, "must equal `agentId`"));
        }
        if submissions.first().is_some_and(|first| first.stream != submission.stream) {
            let name = format!("events[{place}]");
            let problem = "is of another tenant or store than events[0]; send one stream a request";
            return Err(ApiError::field(&name, problem));
        }
        submissions.push(submission);
    }
    Ok(submissions)
}

/// An event after the checks that need no store.
struct Checked {
    event_id: Uuid,
    /// The envelope, when it could be read and its payload has the stated hash.
    event: Option<(Event, Hash32)>,
    /// Why the event is not good.
    checked: Result<(), Refusal>,
    /// Set when its id was found in the store.
    settled: Option<(Hash32, EventOutcome)>,
}

impl Checked {
    fn into_offer(self) -> Offer {
        let verdict = match (self.settled, self.checked, self.event) {
            (Some((signing_hash, outcome)), _, _) => Verdict::Decided(signing_hash, outcome),
            (None, Ok(()), Some((event, signing_hash))) => {
                Verdict::Good(Box::new(PreparedEvent { event, signing_hash }))
            }
            (None, checked, _) => {
                let refusal = checked.err().unwrap_or(Refusal::InvalidSignature);
                Verdict::Decided(Hash32::ZERO, EventOutcome::Refused(refusal))
            }
        };
        Offer { event_id: self.event_id, verdict }
    }
}

async fn check_events(app: &App, submissions: Vec<Submission>) -> ApiResult<Vec<Checked>> {
    let now = clock::now();
    let mut ids = HashSet::with_capacity(submissions.len());
    let mut checked = Vec::with_capacity(submissions.len());
    for (place, submission) in submissions.into_iter().enumerate() {
        if place % CHECKS_PER_TURN == CHECKS_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
        let event_id = submission.event_id;
        let repeated = !ids.insert(event_id);
        let (event, checked_event) = match submission.event {
            Err(refusal) => (None, Err(refusal)),
            Ok(event) => {
                let signing_hash = event.signing_hash();
                let outcome = check_signature(app, &event, &signing_hash, now).await?;
                (Some((event, signing_hash)), outcome)
            }
        };
        let again = Some((Hash32::ZERO, EventOutcome::Refused(Refusal::DuplicateEventId)));
        let settled = if repeated { again } else { None };
        checked.push(Checked { event_id, event, checked: checked_event, settled });
    }
    Ok(checked)
}

/// Checks 13 to 17 of VES 11.
async fn check_signature(
    app: &App,
    event: &Event,
    signing_hash: &Hash32,
    now: ves::Timestamp,
) -> ApiResult<Result<(), Refusal>> {
    let (tenant_id, agent_id) = (event.stream.tenant_id, event.source_agent_id);
    let key = app.agent_keys.good_key(tenant_id, agent_id, event.agent_key_id, now).await?;
    let key = match key {
        Ok(key) => key,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let verified = event.verify_signature_over(signing_hash, &key);
    let outcome =
        if verified.is_ok() { VerificationOutcome::Valid } else { VerificationOutcome::Invalid };
    app.metrics.signature_verifications[outcome].inc();
    Ok(verified)
}

/// Check 2 for the events that failed a later one: an id that is taken decides first, and an
/// exact re-submission is answered with its receipt even after its key was revoked (VES 9.3).
/// Good events are not asked about here: the committer finds their ids under its lock.
async fn settle_known_ids(app: &App, stream: Stream, checked: &mut [Checked]) -> ApiResult<()> {
    let failed = |event: &&mut Checked| event.checked.is_err() && event.settled.is_none();
    let ids: Vec<Uuid> = checked.iter_mut().filter(failed).map(|event| event.event_id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let stored = app.store.find_events(stream, &ids).await?;
    let stored: HashMap<Uuid, _> =
        stored.into_iter().map(|stored| (stored.event.event_id, stored)).collect();
    for event in checked.iter_mut().filter(failed) {
        let Some(stored) = stored.get(&event.event_id) else { continue };
        let outcome = match &event.event {
            None => EventOutcome::Refused(Refusal::DuplicateEventId),
            Some((offered, signing_hash)) => Fingerprint::of(&stored.event, stored.signing_hash)
                .resubmitted(&Fingerprint::of(offered, *signing_hash), stored.placement),
        };
        event.settled = Some((stored.signing_hash, outcome));
    }
    Ok(())
}
