//! A server that lies: it answers each path with what a test put there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What is answered: status and body.
pub(crate) type Answer = (u16, String);

/// By the beginning of the path and query; the longest that fits is taken.
type Answers = Arc<Mutex<HashMap<String, Answer>>>;

/// A server on a free port; it ends when dropped.
pub(crate) struct Liar {
    pub(crate) url: String,
    answers: Answers,
    asked: Arc<Mutex<u64>>,
    accepting: JoinHandle<()>,
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Liar {
    /// Answers everything with 404.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answers, asked) = (Answers::default(), Arc::new(Mutex::new(0)));
        let (known, count) = (Arc::clone(&answers), Arc::clone(&asked));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&known), Arc::clone(&count)));
            }
        });
        Self { url, answers, asked, accepting }
    }

    pub(crate) fn says(&self, path: &str, status: u16, body: impl Into<String>) {
        self.answers.lock().unwrap().insert(path.to_owned(), (status, body.into()));
    }

    /// How many requests it has answered.
    pub(crate) fn asked(&self) -> u64 {
        *self.asked.lock().unwrap()
    }
}

async fn serve(mut client: TcpStream, answers: Answers, asked: Arc<Mutex<u64>>) {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match client.read(&mut chunk).await {
                Ok(count) if count > 0 => request.extend_from_slice(&chunk[..count]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&request);
        let path = text.split(' ').nth(1).unwrap_or_default().to_owned();
        request.clear();
        *asked.lock().unwrap() += 1;
        let (status, body) = answer(&answers, &path);
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        if client.write_all(head.as_bytes()).await.is_err()
            || client.write_all(body.as_bytes()).await.is_err()
        {
            return;
        }
    }
}

fn answer(answers: &Answers, path: &str) -> Answer {
    let answers = answers.lock().unwrap();
    let fits = answers.iter().filter(|(known, _)| path.starts_with(known.as_str()));
    let nothing = || (404, r#"{"error":{"code":"RESOURCE_NOT_FOUND","message":"no"}}"#.to_owned());
    fits.max_by_key(|(known, _)| known.len()).map_or_else(nothing, |(_, answer)| answer.clone())
}
