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
pub(crate) enum Line {
    /// Carries every byte, each chunk later by this in each direction.
    Up(Duration),
    /// Carries nothing and says nothing; what was sent meanwhile arrives when it is up again.
    Frozen,
    /// Connections are closed, new ones are closed as they come.
    Cut,
}

/// A proxy on a free port of this machine; it ends when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
    accepted: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Carries connections to a server, without delay.
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (line, state) = watch::channel(Line::Up(Duration::ZERO));
        let accepted = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&accepted);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(client, server, state.clone()));
            }
        });
        Self { address, line, accepted, accepting }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that clients made so far, carried or not.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Changes the line for all connections, those that are open too.
    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.line.send_replace(Line::Cut);
    }
}

/// One connection until an end closes it or the line is cut.
async fn carry(client: TcpStream, server: SocketAddr, line: watch::Receiver<Line>) {
    let carried = async {
        // A frozen line does not connect either.
        wait_until_up(&mut line.clone()).await?;
        let server = TcpStream::connect(server).await.ok()?;
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        // Each direction ends by itself, as in TCP: one side may have said all it will say.
        tokio::join!(
            pump(from_client, to_server, line.clone()),
            pump(from_server, to_client, line.clone())
        );
        Some(())
    };
    let cut = async {
        let _ = line.clone().wait_for(|line| *line == Line::Cut).await;
    };
    // Dropping the halves closes both sockets.
    tokio::select! {
        _ = carried => {}
        () = cut => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut line: watch::Receiver<Line>) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        let Some(delay) = wait_until_up(&mut line).await else { return };
        tokio::time::sleep(delay).await;
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
    // The end of the stream is carried as a byte is.
    if wait_until_up(&mut line).await.is_some() {
        let _ = to.shutdown().await;
    }
}

/// The delay of the line once it is up; nothing when the proxy is gone.
async fn wait_until_up(line: &mut watch::Receiver<Line>) -> Option<Duration> {
    let up = line.wait_for(|line| matches!(line, Line::Up(_))).await.ok()?;
    match *up {
        Line::Up(delay) => Some(delay),
        Line::Frozen | Line::Cut => None,
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

    proxy.set(Line::Cut);
    let end = tokio::time::timeout(limit, client.read(&mut answer)).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    let mut new = TcpStream::connect(proxy.address()).await.unwrap();
    let end = tokio::time::timeout(limit, new.read(&mut answer)).await.unwrap();
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert_eq!(proxy.accepted(), 2);
    echoing.abort();
}
