//! An OTLP receiver over HTTP: it decodes what arrives and answers as it is told.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// Longest wait for spans: generous, because builds run beside the tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// What it does with spans.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    Takes,
    /// Says that it took all but so many of each request.
    Rejects(i64),
    /// Answers 503.
    Fails,
    /// Reads and never answers.
    Hangs,
}

/// Everything that arrived.
#[derive(Clone, Default)]
pub(crate) struct Arrived {
    pub(crate) spans: Vec<Span>,
    /// Attributes of the resource of the last request.
    pub(crate) resource: BTreeMap<String, String>,
    /// Heads of the requests, in lower case.
    pub(crate) heads: Vec<String>,
}

struct State {
    arrived: Mutex<(Arrived, Manner)>,
    more: Condvar,
}

/// A receiver on a free port. Its threads end with the test program.
pub(crate) struct Receiver {
    state: Arc<State>,
    port: u16,
}

impl Receiver {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let arrived = Mutex::new((Arrived::default(), manner));
        let state = Arc::new(State { arrived, more: Condvar::new() });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || state.serve(socket));
            }
        });
        Self { state, port }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn turn(&self, manner: Manner) {
        self.state.lock().1 = manner;
    }

    /// What arrived until now.
    pub(crate) fn arrived(&self) -> Arrived {
        self.state.lock().0.clone()
    }

    /// Waits until it is so.
    #[track_caller]
    pub(crate) fn wait(&self, enough: impl Fn(&Arrived) -> bool) -> Arrived {
        let deadline = Instant::now() + PATIENCE;
        let mut arrived = self.state.lock();
        while !enough(&arrived.0) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not enough arrived: {:?}", arrived.0.spans);
            arrived = self.state.more.wait_timeout(arrived, left).unwrap().0;
        }
        arrived.0.clone()
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, (Arrived, Manner)> {
        self.arrived.lock().unwrap()
    }

    /// Requests of one connection, until the client ends it.
    fn serve(&self, socket: TcpStream) {
        let mut answers = socket.try_clone().unwrap();
        let mut reader = BufReader::new(socket);
        while let Some((head, body)) = read(&mut reader) {
            let manner = self.note(head, &body);
            let (status, rejected) = match manner {
                Manner::Takes => ("200 OK", 0),
                Manner::Rejects(rejected) => ("200 OK", rejected),
                Manner::Fails => ("503 Service Unavailable", 0),
                Manner::Hangs => continue,
            };
            let error_message = String::new();
            let partial = ExportTracePartialSuccess { rejected_spans: rejected, error_message };
            let partial_success = (rejected > 0).then_some(partial);
            let body = ExportTraceServiceResponse { partial_success }.encode_to_vec();
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
            if answers.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                return;
            }
        }
    }

    fn note(&self, head: String, body: &[u8]) -> Manner {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let mut guard = self.lock();
        let (arrived, manner) = &mut *guard;
        arrived.heads.push(head);
        for group in request.resource_spans {
            arrived.resource = attributes(&group.resource.unwrap().attributes);
            arrived.spans.extend(group.scope_spans.into_iter().flat_map(|scope| scope.spans));
        }
        self.more.notify_all();
        *manner
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.unwrap().parse().unwrap()];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

/// Attributes as text.
pub(crate) fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::ArrayValue(array) => format!("{} values", array.values.len()),
        other => panic!("an attribute of another type: {other:?}"),
    };
    let pair = |pair: &KeyValue| {
        let value = pair.value.as_ref().and_then(|value| value.value.as_ref()).unwrap();
        (pair.key.clone(), text(value))
    };
    attributes.iter().map(pair).collect()
}
