//! A TCP proxy whose line can be cut, frozen or slowed: what a network does to a database.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the line does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Line {
    /// Carries every byte, each chunk later by this in each direction.
    Up(Duration),
    /// Carries nothing and says nothing; what was sent meanwhile arrives when it is up again.
    Frozen,
    /// Connections are closed, new ones are closed as they come.
    Cut,
}

/// What the line does, and which connections it has lost.
#[derive(Clone, Copy, Debug)]
struct State {
    line: Line,
    /// Connections with a lower number are dead without knowing it.
    alive_from: u64,
}

/// A proxy on a free port of this machine; it ends when dropped.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    accepted: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Carries connections to a server, without delay.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let first = State { line: Line::Up(Duration::ZERO), alive_from: 0 };
        let (state, line) = watch::channel(first);
        let accepted = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&accepted);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(client, server, Watch { state: line.clone(), number }));
            }
        });
        Self { address, state, accepted, accepting }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that clients made so far, carried or not.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Changes the line for all connections, those that are open too.
    pub fn set(&self, line: Line) {
        self.state.send_modify(|state| state.line = line);
    }

    /// Loses all open connections: both ends believe in them, and nothing is ever carried again.
    /// New ones are carried. So a firewall forgets, or a machine that lost its power.
    pub fn lose_connections(&self) {
        let alive_from = self.accepted();
        self.state.send_modify(|state| state.alive_from = alive_from);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.set(Line::Cut);
    }
}

/// The line as one connection sees it.
#[derive(Clone)]
struct Watch {
    state: watch::Receiver<State>,
    number: u64,
}

impl Watch {
    /// The delay of the line once it is up; nothing when it is cut or the proxy is gone.
    async fn up(&mut self) -> Option<Duration> {
        let number = self.number;
        let carries = |state: &State| state.line != Line::Frozen && state.alive_from <= number;
        match self.state.wait_for(carries).await.ok()?.line {
            Line::Up(delay) => Some(delay),
            Line::Frozen | Line::Cut => None,
        }
    }

    async fn cut(mut self) {
        let _ = self.state.wait_for(|state| state.line == Line::Cut).await;
    }
}

/// One connection until an end closes it or the line is cut.
async fn carry(client: TcpStream, server: SocketAddr, watch: Watch) {
    let carried = async {
        // A frozen line does not connect either.
        watch.clone().up().await?;
        let server = TcpStream::connect(server).await.ok()?;
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Each direction ends by itself, as in TCP: one side may have said all it will say.
        tokio::join!(
            pump(from_client, to_server, watch.clone()),
            pump(from_server, to_client, watch.clone())
        );
        Some(())
    };
    // Dropping the halves closes both sockets.
    tokio::select! {
        _ = carried => {}
        () = watch.clone().cut() => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut watch: Watch) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let Some(delay) = watch.up().await else { return };
        tokio::time::sleep(delay).await;
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
    // The end of the stream is carried as a byte is.
    if watch.up().await.is_some() {
        let _ = to.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_line_carries_slows_freezes_and_cuts() {
    let limit = Duration::from_secs(10);
    let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::to(echo.local_addr().unwrap()).await;
    let echoing = tokio::spawn(async move {
        while let Ok((socket, _)) = echo.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = socket.into_split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let mut answer = [0; 5];
    client.write_all(b"hello").await.unwrap();
    tokio::time::timeout(limit, client.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"hello");

    let started = std::time::Instant::now();
    proxy.set(Line::Up(Duration::from_millis(100)));
    client.write_all(b"later").await.unwrap();
    tokio::time::timeout(limit, client.read_exact(&mut answer)).await.unwrap().unwrap();
    assert!(started.elapsed() >= Duration::from_millis(200), "both directions are slow");

    proxy.set(Line::Frozen);
    client.write_all(b"never").await.unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(300), client.read_exact(&mut answer));
    assert!(silence.await.is_err(), "a frozen line says nothing, not even that it is closed");
    proxy.set(Line::Up(Duration::ZERO));
    tokio::time::timeout(limit, client.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"never", "what was sent meanwhile arrives");

    proxy.lose_connections();
    client.write_all(b"never").await.unwrap();
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    new.write_all(b"hello").await.unwrap();
    tokio::time::timeout(limit, new.read_exact(&mut answer)).await.unwrap().unwrap();
    let silence = tokio::time::timeout(Duration::from_millis(300), client.read_exact(&mut answer));
    assert!(silence.await.is_err(), "the old connection is dead and does not know it");

    proxy.set(Line::Cut);
    let end = tokio::time::timeout(limit, client.read(&mut answer)).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    let end = tokio::time::timeout(limit, new.read(&mut answer)).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(proxy.accepted(), 3);
    echoing.abort();
}
