//! A target on loopback that answers as told and logs what it really did. It speaks just enough
//! HTTP for this program's own client, on a thread of its own.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use ves::receipt::SignatureAlg;
use ves::wire::{IngestRequest, IngestResponse};
use ves::{EnvelopeLimits, Receipt, Sig64, Submission, Timestamp};

/// Longest head of a request; ours are shorter.
const MAX_HEAD_BYTES: usize = 16 << 10;
const HEALTHY: &str = r#"{"status":"healthy","service":"stub","version":"0"}"#;

/// How it answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Behaviour {
    /// 99 % after 5 ms, 0.9 % after 100 ms, 0.1 % after 1 s, and a log of the real times.
    Calibrated,
    /// At once. Events are read and get a number and a receipt without a signature.
    Fast,
}

/// A stub that listens until it is dropped.
pub struct Stub {
    /// Where.
    pub address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct State {
    behaviour: Behaviour,
    requests: AtomicU64,
    events: AtomicU64,
    /// From the request read to the answer written.
    log: Mutex<Vec<Duration>>,
}

impl Stub {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// When loopback cannot be listened on.
    pub fn start(behaviour: Behaviour) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))
            .context("loopback cannot be listened on")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (requests, events, log) = (0.into(), 0.into(), Mutex::default());
        let state = Arc::new(State { behaviour, requests, events, log });
        let stop = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (kept, told) = (Arc::clone(&state), stop.clone());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                let _ = told.run_until_cancelled(accept(listener, kept)).await;
            });
        });
        Ok(Self { address, state, stop, thread: Some(thread) })
    }

    /// What it really did.
    #[must_use]
    pub fn log(&self) -> Vec<Duration> {
        self.state.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        let state = Arc::clone(&state);
        tokio::spawn(async move { serve(socket, &state).await });
    }
}

async fn serve(mut socket: TcpStream, state: &State) -> Option<()> {
    let mut buffer = Vec::with_capacity(MAX_HEAD_BYTES);
    loop {
        let (head, length) = loop {
            if let Some(complete) = complete(&buffer) {
                break complete;
            }
            if socket.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let began = Instant::now();
        let body = match state.behaviour {
            Behaviour::Fast if length > 0 => state.ingest(&buffer[head..head + length])?,
            Behaviour::Fast => HEALTHY.to_owned(),
            Behaviour::Calibrated => {
                let place = state.requests.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(delay(place)).await;
                HEALTHY.to_owned()
            }
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(answer.as_bytes()).await.ok()?;
        if state.behaviour == Behaviour::Calibrated {
            state.log.lock().unwrap_or_else(PoisonError::into_inner).push(began.elapsed());
        }
        buffer.drain(..head + length);
    }
}

/// Place of the body and its length, once a request is whole.
fn complete(buffer: &[u8]) -> Option<(usize, usize)> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&buffer[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let length = length.unwrap_or(0);
    (buffer.len() >= head + length).then_some((head, length))
}

/// The slow ones come first in each thousand, so that at any number of requests the 99th and the
/// 99.9th percentile lie within the slow ones and not on their edge.
fn delay(place: u64) -> Duration {
    match place % 1000 {
        0 => Duration::from_secs(1),
        1..10 => Duration::from_millis(100),
        _ => Duration::from_millis(5),
    }
}

impl State {
    fn ingest(&self, body: &[u8]) -> Option<String> {
        let request: IngestRequest = serde_json::from_slice(body).ok()?;
        let mut receipts = Vec::with_capacity(request.events.len());
        for raw in &request.events {
            let parsed = ves::parse_submission(raw.get(), &EnvelopeLimits::default()).ok()?;
            let Submission { event: Ok(event), .. } = parsed else { return None };
            let sequence_number = 1 + self.events.fetch_add(1, Ordering::Relaxed);
            let (stream, id) = (event.stream, event.event_id);
            receipts.push(Receipt {
                sequencer_id: Uuid::nil(),
                event_id: id,
                sequence_number,
                sequenced_at: Timestamp::from_micros(0),
                receipt_hash: ves::receipt_hash(
                    &stream,
                    &id,
                    sequence_number,
                    &event.signing_hash(),
                ),
                signature_alg: SignatureAlg::Ed25519,
                sequencer_signature: Sig64::ZERO,
                sequencer_key_version: 1,
                receipt_signature_scheme: 1,
            });
        }
        let numbers: Vec<u64> = receipts.iter().map(|receipt| receipt.sequence_number).collect();
        let response = IngestResponse {
            batch_id: Uuid::nil(),
            events_accepted: numbers.len() as u64,
            events_rejected: 0,
            sequence_start: numbers.first().copied(),
            sequence_end: numbers.last().copied(),
            head_sequence: numbers.last().copied().unwrap_or(0),
            rejections: Vec::new(),
            receipts,
        };
        serde_json::to_string(&response).ok()
    }
}
