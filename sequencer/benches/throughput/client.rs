//! The load: requests rendered before the clock starts, sent over kept connections.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What one run measured.
pub(crate) struct Measured {
    pub(crate) events_per_second: f64,
    /// Microseconds per request, whole answer.
    pub(crate) latency: Histogram<u64>,
    /// Share of both cores that the client took.
    pub(crate) client_cpu_ratio: f64,
}

/// One connection that sends a request and waits for its whole answer.
pub(crate) struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: &str) -> Self {
        let socket = TcpStream::connect(address).await.expect("the server listens");
        socket.set_nodelay(true).expect("loopback takes options");
        Self { socket, buffer: Vec::with_capacity(64 << 10) }
    }

    /// Status and body.
    pub(crate) async fn send(&mut self, request: &[u8]) -> (u16, &[u8]) {
        let (status, start, end) =
            self.exchange(request).await.expect("the server answers on a kept connection");
        (status, &self.buffer[start..end])
    }

    /// Status, and whether the connection is of no more use; `None` when no answer came.
    pub(crate) async fn try_send(&mut self, request: &[u8]) -> Option<(u16, bool)> {
        let (status, start, _) = self.exchange(request).await?;
        Some((status, contains(&self.buffer[..start], b"connection: close")))
    }

    /// Status and place of the body in the buffer.
    async fn exchange(&mut self, request: &[u8]) -> Option<(u16, usize, usize)> {
        // A server that does not want the rest may have answered already.
        let _ = self.socket.write_all(request).await;
        self.buffer.clear();
        loop {
            let read = self.socket.read_buf(&mut self.buffer).await.ok()?;
            if read == 0 {
                return None;
            }
            if let Some(answer) = complete(&self.buffer) {
                return Some(answer);
            }
        }
    }
}

/// Status and place of the body, once the answer is whole.
fn complete(buffer: &[u8]) -> Option<(u16, usize, usize)> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&buffer[..head]).expect("heads are text");
    let status = text[9..12].parse().expect("a status");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.expect("answers have a length").parse().expect("a number");
    (buffer.len() >= head + 4 + length).then_some((status, head + 4, head + 4 + length))
}

/// Sends each client's requests one after the other and measures.
pub(crate) fn run(
    address: &str,
    clients: Vec<Vec<Vec<u8>>>,
    events_per_request: usize,
) -> Measured {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let requests: usize = clients.iter().map(Vec::len).sum();
        let mut connections = Vec::new();
        for requests in clients {
            connections.push((Connection::open(address).await, requests));
        }
        let (cpu, started) = (own_cpu(), Instant::now());
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|(connection, requests)| tokio::spawn(client(connection, requests)))
            .collect();
        let mut latency = new_histogram();
        for task in tasks {
            latency.add(task.await.expect("a client ends well")).expect("the same bounds");
        }
        let seconds = started.elapsed().as_secs_f64();
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        Measured {
            events_per_second: (requests * events_per_request) as f64 / seconds,
            latency,
            client_cpu_ratio: (own_cpu() - cpu).as_secs_f64() / seconds / cores,
        }
    })
}

async fn client(mut connection: Connection, requests: Vec<Vec<u8>>) -> Histogram<u64> {
    let mut latency = new_histogram();
    for request in requests {
        let sent = Instant::now();
        let (status, body) = connection.send(&request).await;
        let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
        let accepted = contains(body, b"\"eventsRejected\":0");
        assert!(status == 200 && accepted, "{status} {}", String::from_utf8_lossy(body));
        latency.saturating_record(micros);
    }
    latency
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

pub(crate) fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are good")
}

/// CPU time of this process.
fn own_cpu() -> Duration {
    cpu_of("self")
}

/// CPU time of a process, by its number.
pub(crate) fn cpu_of(process: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    // USER_HZ is 100 on every Linux this runs on.
    Duration::from_millis(ticks * 10)
}
