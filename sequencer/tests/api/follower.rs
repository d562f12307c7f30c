//! A client of the live stream that reads one message at a time, in both formats.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use ves::Stream;

use crate::agent::query;
use crate::answer::Answer;
use crate::client::Client;

/// Longest wait for a message.
const LIMIT: Duration = Duration::from_secs(20);
/// The two formats, by the value of `accept`.
pub(crate) const FORMATS: [&str; 2] = ["text/event-stream", "application/x-ndjson"];

/// An open stream.
pub(crate) struct Follower {
    pub(crate) response: Response,
    received: Vec<u8>,
}

/// One message of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// `event`, `lagged`, `draining`, `failed` or `heartbeat`.
    pub(crate) name: String,
    /// Only server-sent events have one.
    pub(crate) id: Option<u64>,
    /// The object, without `type`.
    pub(crate) data: Value,
}

impl Message {
    /// The number of an event; nothing else may have come.
    #[track_caller]
    pub(crate) fn number(&self) -> u64 {
        assert_eq!(self.name, "event", "{self:?}");
        let number = self.data["sequence_number"].as_u64().unwrap();
        assert!(self.id.is_none_or(|id| id == number), "{self:?}");
        number
    }

    #[track_caller]
    pub(crate) fn resume_from(&self, name: &str) -> u64 {
        assert_eq!((self.name.as_str(), self.id), (name, None), "{self:?}");
        self.data["resume_from"].as_u64().unwrap()
    }

    /// One message as it is on the wire.
    pub(crate) fn parse(text: &str) -> Self {
        if text.starts_with('{') {
            let mut data: Value = serde_json::from_str(text).unwrap();
            let name = data.as_object_mut().unwrap().remove("type").unwrap();
            return Self { name: name.as_str().unwrap().to_owned(), id: None, data };
        }
        let (mut name, mut id, mut data) = ("heartbeat", None, Value::Null);
        for line in text.lines() {
            match line.split_once(": ").unwrap() {
                ("event", value) => name = value,
                ("id", value) => id = Some(value.parse().unwrap()),
                ("data", value) => data = serde_json::from_str(value).unwrap(),
                (field, value) => assert_eq!((field, value), ("", "heartbeat"), "{text}"),
            }
        }
        Self { name: name.to_owned(), id, data }
    }
}

/// The path of a stream, with these further parameters.
pub(crate) fn path(stream: Stream, more: &str) -> String {
    format!("/api/v1/ves/events/stream?{}{more}", query(stream))
}

/// Sends the request, whatever the answer.
pub(crate) async fn request(
    client: &Client,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Response {
    let request = client.request("GET", path);
    let request =
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    tokio::time::timeout(LIMIT, request.send()).await.unwrap().unwrap()
}

/// The error that the request is refused with.
pub(crate) async fn refused(client: &Client, path: &str, code: &str) -> Answer {
    let answer = Answer::of(request(client, path, &[]).await).await;
    answer.refused(code);
    answer
}

impl Follower {
    pub(crate) async fn open(client: &Client, stream: Stream, accept: &str) -> Self {
        Self::open_with(client, &path(stream, ""), &[("accept", accept)]).await
    }

    /// Follows from a number on.
    pub(crate) async fn from(client: &Client, stream: Stream, from: u64) -> Self {
        Self::open_with(client, &path(stream, &format!("&from={from}")), &[]).await
    }

    pub(crate) async fn open_with(
        client: &Client,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        let response = request(client, path, headers).await;
        assert_eq!(response.status(), 200, "{path}");
        Self { response, received: Vec::new() }
    }

    /// The next message; nothing when the stream ended.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        let lines = self.response.headers()["content-type"] == FORMATS[1];
        let end: &[u8] = if lines { b"\n" } else { b"\n\n" };
        loop {
            let found = self.received.windows(end.len()).position(|part| part == end);
            if let Some(place) = found {
                let rest = self.received.split_off(place + end.len());
                let message = std::mem::replace(&mut self.received, rest);
                return Some(Message::parse(std::str::from_utf8(&message).unwrap().trim_end()));
            }
            let more = tokio::time::timeout(LIMIT, self.response.chunk()).await;
            match more.unwrap_or_else(|_| panic!("nothing within {LIMIT:?}")).unwrap() {
                Some(bytes) => self.received.extend_from_slice(&bytes),
                None => {
                    assert!(self.received.is_empty(), "the stream ends in a message");
                    return None;
                }
            }
        }
    }

    /// The next message that is no heartbeat; there must be one.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            let message = self.message().await.unwrap();
            if message.name != "heartbeat" {
                return message;
            }
        }
    }

    /// So many events, which must have these numbers.
    pub(crate) async fn expect(&mut self, numbers: std::ops::RangeInclusive<u64>) -> Vec<Message> {
        let mut messages = Vec::new();
        for number in numbers {
            let message = self.next().await;
            assert_eq!(message.number(), number);
            messages.push(message);
        }
        messages
    }
}
