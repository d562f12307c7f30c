//! HTTP by hand over TCP, for clients that no library would be.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{Client, ROOT_KEY};

/// Longest wait for an answer or the end of a connection.
const LIMIT: Duration = Duration::from_secs(20);

/// One connection to the API.
pub(crate) struct Connection(TcpStream);

impl Connection {
    pub(crate) async fn open(client: &Client) -> Self {
        Self(TcpStream::connect(client.base.strip_prefix("http://").unwrap()).await.unwrap())
    }

    /// Sends; a connection that the server has closed is the reader's matter.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// Ends the sending side.
    pub(crate) async fn end(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// Reads until `end` is in what came, or the connection ends; gives all that came.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let mut buffer = [0; 8192];
        let reading = async {
            loop {
                match self.0.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(count) => text.extend_from_slice(&buffer[..count]),
                }
                if !end.is_empty() && text.windows(end.len()).any(|part| part == end.as_bytes()) {
                    break;
                }
            }
        };
        assert!(tokio::time::timeout(LIMIT, reading).await.is_ok(), "nothing within {LIMIT:?}");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads until the server closes.
    pub(crate) async fn read_to_end(&mut self) -> String {
        self.read_until("").await
    }
}

/// The head of a POST of JSON to the ingest route, with these further header lines.
pub(crate) fn post_head(headers: &str) -> String {
    format!(
        "POST /api/v1/ves/events/ingest HTTP/1.1\r\nhost: test\r\n\
         authorization: ApiKey {ROOT_KEY}\r\ncontent-type: application/json\r\n{headers}\r\n"
    )
}

/// Status of an answer as text; 0 when there is none.
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
