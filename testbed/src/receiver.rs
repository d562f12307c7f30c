//! Who Alertmanager tells: an HTTP server that keeps every notification.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;
use warp::Filter as _;

/// Longest wait for a free port.
const LIMIT: Duration = Duration::from_secs(10);

/// One alert inside a notification.
#[derive(Clone, Debug)]
pub struct Notification {
    /// Path that it was sent to: which receiver of Alertmanager it is.
    pub path: String,
    /// When it came.
    pub at: Instant,
    /// The alert as Alertmanager's webhook shows it: `status`, `labels`, `annotations`.
    pub alert: Value,
}

impl Notification {
    /// Whether it says that this alert fires, or is over.
    #[must_use]
    pub fn says(&self, alert: &str, status: &str) -> bool {
        self.alert["labels"]["alertname"] == alert && self.alert["status"] == status
    }
}

/// A server on a free port; it ends when dropped.
pub struct Receiver {
    port: u16,
    came: Arc<Mutex<Vec<Notification>>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Starts one.
    pub async fn start() -> Self {
        let came: Arc<Mutex<Vec<Notification>>> = Arc::default();
        let kept = Arc::clone(&came);
        let route = warp::post().and(warp::path::full()).and(warp::body::json()).map(
            move |path: warp::path::FullPath, body: Value| {
                let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(alerts.into_iter().map(|alert| Notification {
                    path: path.as_str().to_owned(),
                    at: Instant::now(),
                    alert,
                }));
                warp::http::StatusCode::NO_CONTENT
            },
        );
        let bound = tokio::time::timeout(LIMIT, tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = bound.await.unwrap().unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(warp::serve(route).incoming(listener).run());
        Self { port, came, serving }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All that came so far, oldest first.
    #[must_use]
    pub fn notifications(&self) -> Vec<Notification> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
