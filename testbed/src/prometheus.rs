//! A real Prometheus on a free port, ended when dropped.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::program::{free_port, tool};

/// A running server and its folder.
pub struct Prometheus {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Prometheus {
    /// Starts one with this configuration, in which `ADDRESS` is its own.
    #[must_use]
    pub fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = folder.path().join("prometheus.yml");
        let address = format!("127.0.0.1:{port}");
        std::fs::write(&file, config.replace("ADDRESS", &address)).unwrap();
        let program = tool(&["prometheus"]);
        let child = Command::new(&program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).unwrap())
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self { child, port, folder }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The file that it logs to.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Gives it another configuration, which it reads at once.
    pub fn reload(&self, config: &str) {
        let address = format!("127.0.0.1:{}", self.port);
        let file = self.folder.path().join("prometheus.yml");
        std::fs::write(file, config.replace("ADDRESS", &address)).unwrap();
        let id = Pid::from_raw(self.child.id().cast_signed()).unwrap();
        kill_process(id, Signal::HUP).unwrap();
    }

    /// Waits until a query has a result.
    pub fn wait_for(&self, query: &str, limit: Duration) {
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
