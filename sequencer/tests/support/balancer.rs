//! A balancer as simple as they come: it asks `/ready` every second and never retries.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Time between two questions to a backend, and how long an answer may take.
const POLL: Duration = Duration::from_secs(1);

/// A balancer on a free port of this machine; it ends when dropped.
pub(crate) struct Balancer {
    address: SocketAddr,
    http: reqwest::Client,
    backends: Arc<Mutex<Vec<Backend>>>,
    accepting: JoinHandle<()>,
}

struct Backend {
    address: SocketAddr,
    ready: bool,
    polling: JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

impl Balancer {
    /// One without backends.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let backends: Arc<Mutex<Vec<Backend>>> = Arc::default();
        let known = Arc::clone(&backends);
        let accepting = tokio::spawn(async move {
            let mut turn = 0_usize;
            while let Ok((client, _)) = listener.accept().await {
                turn += 1;
                let backend = {
                    let known = known.lock().unwrap();
                    let ready: Vec<_> = known.iter().filter(|backend| backend.ready).collect();
                    ready.get(turn % ready.len().max(1)).map(|backend| backend.address)
                };
                tokio::spawn(carry(client, backend));
            }
        });
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(POLL)
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self { address, http, backends, accepting }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Polls one more backend; it gets connections once it was ready.
    pub(crate) fn add(&self, address: SocketAddr) {
        let (http, known) = (self.http.clone(), Arc::clone(&self.backends));
        let polling = tokio::spawn(async move {
            let mut tick = tokio::time::interval(POLL);
            loop {
                tick.tick().await;
                let answer = http.get(format!("http://{address}/ready")).send().await;
                let ready = answer.is_ok_and(|answer| answer.status() == 200);
                let mut known = known.lock().unwrap();
                let Some(backend) = known.iter_mut().find(|one| one.address == address) else {
                    return;
                };
                backend.ready = ready;
            }
        });
        self.backends.lock().unwrap().push(Backend { address, ready: false, polling });
    }

    /// Forgets a backend that is gone.
    pub(crate) fn remove(&self, address: SocketAddr) {
        self.backends.lock().unwrap().retain(|backend| backend.address != address);
    }

    /// How many backends get connections.
    pub(crate) fn ready(&self) -> usize {
        self.backends.lock().unwrap().iter().filter(|backend| backend.ready).count()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.backends.lock().unwrap().clear();
    }
}

/// Carries a connection; without a backend, or when it does not take it, the client is cut off.
async fn carry(mut client: TcpStream, backend: Option<SocketAddr>) {
    let Some(backend) = backend else { return };
    let Ok(mut server) = TcpStream::connect(backend).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
}
