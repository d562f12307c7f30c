//! A target that answers as a test tells it, over plain sockets.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What it does with a request, given its path and how many came before.
pub(crate) type Answers = dyn Fn(&str, usize) -> Reply + Send + Sync;

/// One answer.
pub(crate) enum Reply {
    /// Status line and headers beyond the length, and a body.
    Whole(&'static str, String),
    /// Announces more than it sends, and hangs up.
    Half,
    /// Hangs up.
    Nothing,
    /// Never answers.
    Silence,
}

/// Starts one; gives its URL. It ends with the test's process.
pub(crate) fn start(answers: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answers: Arc<Answers> = Arc::new(answers);
    std::thread::spawn(move || {
        for (place, socket) in listener.incoming().enumerate() {
            let answers = Arc::clone(&answers);
            std::thread::spawn(move || {
                if let Ok(socket) = socket {
                    serve(socket, place, answers.as_ref());
                }
            });
        }
    });
    url
}

/// One request a connection.
fn serve(mut socket: TcpStream, place: usize, answers: &Answers) {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match socket.read(&mut buffer) {
            Ok(read) if read > 0 => request.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    match answers(path, place) {
        Reply::Whole(head, body) => {
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            let _ = socket.write_all(answer.as_bytes());
        }
        Reply::Half => {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half");
        }
        Reply::Nothing => {}
        Reply::Silence => std::thread::sleep(std::time::Duration::from_secs(120)),
    }
    // What was sent is read before the connection is reset.
    let _ = socket.shutdown(std::net::Shutdown::Write);
    let _ = socket.set_read_timeout(Some(std::time::Duration::from_millis(200)));
    while matches!(socket.read(&mut buffer), Ok(read) if read > 0) {}
}

/// What a sequencer says of itself.
pub(crate) fn who() -> String {
    serde_json::json!({
        "sequencer_id": uuid::Uuid::nil(),
        "ves_version": 1,
        "keys": [],
        "limits": {
            "max_body_bytes": 1_000_000, "max_events_per_request": 1000,
            "max_payload_bytes": 1_000_000, "max_payload_depth": 124,
            "max_entity_type_bytes": 128, "max_entity_id_bytes": 512,
            "max_event_type_bytes": 256, "max_page_events": 1000,
            "max_commitment_events": 65536,
        },
    })
    .to_string()
}
