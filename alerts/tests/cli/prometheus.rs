//! A real Prometheus on a free port, ended with the test.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server and its folder.
pub(crate) struct Prometheus {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one with this configuration, in which `ADDRESS` is its own.
    pub(crate) fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let file = folder.path().join("prometheus.yml");
        let address = format!("127.0.0.1:{port}");
        std::fs::write(&file, config.replace("ADDRESS", &address)).unwrap();
        let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin/prometheus");
        let program = if installed.exists() { installed } else { PathBuf::from("prometheus") };
        let child = Command::new(&program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("{} does not start ({error}); install it with `make tools`", program.display())
        });
        Self { child, port, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until a query has a result.
    #[allow(dead_code, reason = "not every test binary waits")]
    pub(crate) fn wait_for(&self, query: &str, limit: Duration) {
        let url = format!("{}/api/v1/query", self.url());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let started = Instant::now();
        runtime.block_on(async {
            let http = reqwest::Client::new();
            loop {
                let mut asked: reqwest::Url = url.parse().unwrap();
                asked.query_pairs_mut().append_pair("query", query);
                let answer = async { http.get(asked).send().await?.text().await };
                if answer.await.is_ok_and(|text| text.contains("\"value\":[")) {
                    return;
                }
                assert!(started.elapsed() < limit, "{query} has no result");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
