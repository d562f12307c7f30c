//! A sequencer that lies: a proxy before a real one changes what it answers. No lie may pass.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use ves::commitment::state_root;
use ves::{Commitment, Hash32};
use warp::Filter as _;
use warp::http::{HeaderMap, Method, StatusCode};
use warp::path::FullPath;
use warp::reply::{Reply as _, Response};

use crate::rooms::Rooms;
use crate::stack::Sequencer;

/// Changes an answer.
type Change = fn(&mut Value);

/// What is changed in the answers of paths that end with or hold a text.
#[derive(Clone, Copy)]
struct Lie {
    path: &'static str,
    change: Change,
}

/// A proxy that changes answers; it ends when dropped.
struct Liar {
    url: String,
    lie: Arc<Mutex<Vec<Lie>>>,
    serving: JoinHandle<()>,
}

impl Liar {
    async fn before(sequencer: &Sequencer) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::new();
        let lie: Arc<Mutex<Vec<Lie>>> = Arc::default();
        let (to, told) = (sequencer.url.clone(), Arc::clone(&lie));
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        let routes = warp::method()
            .and(warp::path::full())
            .and(query)
            .and(warp::header::headers_cloned())
            .and(warp::body::bytes())
            .then(move |method: Method, path: FullPath, query: String, headers, body: Bytes| {
                let url = format!("{to}{}?{query}", path.as_str());
                let told = told.lock().unwrap().clone();
                forward(http.request(method, url.trim_end_matches('?')), path, headers, body, told)
            });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(warp::serve(routes).incoming(listener).run());
        Self { url, lie, serving }
    }

    fn tell(&self, lies: &[Lie]) {
        *self.lie.lock().unwrap() = lies.to_vec();
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn forward(
    request: reqwest::RequestBuilder,
    path: FullPath,
    headers: HeaderMap,
    body: Bytes,
    lies: Vec<Lie>,
) -> Response {
    let mut request = request.body(body);
    for name in ["authorization", "content-type"] {
        if let Some(value) = headers.get(name) {
            request = request.header(name, value);
        }
    }
    let Ok(answer) = request.send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let status = answer.status();
    let mut value: Value = answer.json().await.unwrap_or_default();
    for lie in lies.iter().filter(|lie| status.is_success() && path.as_str().contains(lie.path)) {
        (lie.change)(&mut value);
    }
    warp::reply::with_status(warp::reply::json(&value), status).into_response()
}

/// Another hex text of the same length; nothing where there is none.
fn other_hex(value: &mut Value) {
    if let Some(text) = value.as_str() {
        let last = if text.ends_with('0') { '1' } else { '0' };
        *value = format!("{}{last}", &text[..text.len() - 1]).into();
    }
}

/// The next number; nothing where there is none.
fn one_more(value: &mut Value) {
    if let Some(number) = value.as_u64() {
        *value = (number + 1).into();
    }
}

const NEW_ID: &str = "11111111-2222-4333-8444-555555555555";
const INGEST: &str = "/events/ingest";
const EVENT: &str = "/ves/events/";
const HEAD: &str = "/ves/head";
const PROOF: &str = "/ves/proofs/";
const COMMITMENT: &str = "/ves/commitments/";
const KEYS: &str = "/ves/sequencer";

/// Where a lie is told, what it changes, the step that must fail, and what it must say.
const LIES: &[(&str, Change, &str, &str)] = &[
    (INGEST, |v| other_hex(&mut v["receipts"][0]["sequencerSignature"]), "post", "not signed by"),
    (
        INGEST,
        |v| other_hex(&mut v["receipts"][0]["receiptHash"]),
        "post",
        "hash does not recompute",
    ),
    (INGEST, |v| v["receipts"][0]["eventId"] = NEW_ID.into(), "post", "does not fit one new event"),
    (INGEST, |v| v["receipts"][0]["sequencerId"] = NEW_ID.into(), "post", "names sequencer"),
    (
        INGEST,
        |v| v["receipts"][0]["sequencerKeyVersion"] = 9.into(),
        "post",
        "key 9 is not published",
    ),
    (INGEST, |v| v["receipts"][0]["receiptSignatureScheme"] = 2.into(), "post", "not signed by"),
    (INGEST, |v| v["receipts"] = json!([]), "post", "no receipt"),
    (INGEST, |v| v["eventsAccepted"] = 0.into(), "post", "does not fit one new event"),
    (INGEST, |v| v["headSequence"] = 0.into(), "post", "does not fit one new event"),
    (INGEST, |v| *v = json!({}), "post", "unexpected"),
    (
        INGEST,
        |v| {
            for name in ["sequenceStart", "sequenceEnd", "headSequence"] {
                one_more(&mut v[name]);
            }
            one_more(&mut v["receipts"][0]["sequenceNumber"]);
        },
        "post",
        "hash does not recompute",
    ),
    (KEYS, |v| v["keys"][0]["public_key"] = "01".repeat(32).into(), "post", "was"),
    (KEYS, |v| v["keys"] = json!([]), "post", "not published"),
    (KEYS, |v| *v = "hello".into(), "post", "unexpected"),
    (
        EVENT,
        |v| v["payload"] = json!({ "by": "a liar" }),
        "read_back",
        "not the event that was posted",
    ),
    (EVENT, |v| v["entity_id"] = "slot-8".into(), "read_back", "not the event that was posted"),
    (EVENT, |v| other_hex(&mut v["agent_signature"]), "read_back", "not the event that was posted"),
    (EVENT, |v| other_hex(&mut v["receipt"]["sequencerSignature"]), "read_back", "its receipt"),
    (EVENT, |v| one_more(&mut v["sequence_number"]), "read_back", "its number or time"),
    (EVENT, |v| v["sequenced_at"] = "2020-01-01T00:00:00Z".into(), "read_back", "number or time"),
    (EVENT, |v| v["payload"] = Value::Null, "read_back", "cannot be read"),
    (HEAD, |v| v["committed_sequence"] = 1_000_000.into(), "commitment", "the head says"),
    (HEAD, |v| v["head_sequence"] = 0.into(), "commitment", "the head says"),
    (HEAD, |v| v["committed_sequence"] = v["head_sequence"].clone(), "proof", "BATCH_NOT_FOUND"),
    (PROOF, |v| other_hex(&mut v["leaf_hash"]), "proof", "another leaf"),
    (PROOF, |v| other_hex(&mut v["merkle_root"]), "proof", "another root"),
    (PROOF, |v| one_more(&mut v["leaf_index"]), "proof", "another place"),
    (PROOF, |v| one_more(&mut v["sequence_number"]), "proof", "another event"),
    (PROOF, |v| v["batch_id"] = NEW_ID.into(), "proof", "the commitment: answered 404"),
    (PROOF, |v| v["directions"] = json!([true, false, true]), "proof", "turns where"),
    (
        PROOF,
        |v| {
            v["proof_path"] = vec!["0".repeat(64); 70].into();
            v["directions"] = vec![true; 70].into();
        },
        "proof",
        "the proof",
    ),
    (COMMITMENT, |v| other_hex(&mut v["merkle_root"]), "proof", "state root does not recompute"),
    (COMMITMENT, |v| other_hex(&mut v["prev_state_root"]), "proof", "does not recompute"),
    (COMMITMENT, |v| one_more(&mut v["tree_depth"]), "proof", "counts do not fit"),
    (COMMITMENT, |v| one_more(&mut v["sequence_start"]), "proof", "does not"),
    (COMMITMENT, |v| v["store_id"] = NEW_ID.into(), "proof", "does not cover event"),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_lie_passes() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &["--committer-max-events=1"]);
    let liar = Liar::before(&sequencer).await;
    let rooms =
        Rooms::canary_over(folder.path(), &liar.url, &["--canary-interval-secs=0.02"]).await;
    rooms.good_round().await;
    for (path, change, step, words) in LIES {
        liar.tell(&[Lie { path, change: *change }]);
        rooms.failed_round(step, &[words]).await;
        liar.tell(&[]);
        // What was learned from a lie does not last.
        rooms.good_round().await;
    }
}

/// A commitment that is whole by itself, with another past.
fn other_past(value: &mut Value) {
    let mut forged: Commitment = serde_json::from_value(value.clone()).unwrap();
    forged.prev_state_root = Hash32([7; 32]);
    forged.new_state_root = state_root(
        &forged.stream(),
        &forged.prev_state_root,
        &forged.merkle_root,
        forged.sequence_start,
        forged.sequence_end,
        forged.leaf_count,
    );
    *value = serde_json::to_value(forged).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commitment_with_another_past_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &["--committer-max-events=1"]);
    let liar = Liar::before(&sequencer).await;
    let rooms = Rooms::canary_over(folder.path(), &liar.url, &[]).await;
    rooms.good_round().await;
    let one = Lie { path: COMMITMENT, change: other_past };
    liar.tell(&[one]);
    rooms.failed_round("proof", &["not in the list of commitments"]).await;
    // Now there is no past to compare with, but the head still tells the truth.
    rooms.failed_round("proof", &["another state root than the commitment's"]).await;
    liar.tell(&[]);
    rooms.good_round().await;
    let all = |value: &mut Value| {
        if let Some(list) = value.get_mut("commitments").and_then(Value::as_array_mut) {
            list.iter_mut().for_each(other_past);
        } else {
            other_past(value);
        }
    };
    liar.tell(&[Lie { path: "/ves/commitments", change: all }]);
    rooms.failed_round("proof", &["does not follow the one before", "prev_root_mismatch"]).await;
    liar.tell(&[]);
    rooms.good_round().await;
}

/// Several events in one batch, so that proofs have a path, which is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_leads_elsewhere_does_not_pass() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let liar = Liar::before(&sequencer).await;
    let rooms = Rooms::canary_over(folder.path(), &liar.url, &[]).await;
    let others = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let one = Rooms::canary(others[0].path(), &sequencer, &["--canary-interval-secs=0.05"]).await;
    let two = Rooms::canary(others[1].path(), &sequencer, &["--canary-interval-secs=0.05"]).await;
    rooms.good_round().await;
    let change = |value: &mut Value| {
        if let Some(first) = value["proof_path"].get_mut(0) {
            other_hex(first);
        }
    };
    liar.tell(&[Lie { path: PROOF, change }]);
    rooms.failed_round("proof", &["does not lead from the event"]).await;
    liar.tell(&[]);
    rooms.good_round().await;
    for honest in [&one, &two] {
        assert!(honest.canary_view().rounds.iter().all(|round| round.ok));
    }
}
