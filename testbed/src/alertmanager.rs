//! A real Alertmanager on a free port, ended when dropped.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::program::{free_port, tool};

/// A running server.
pub struct Alertmanager {
    child: Child,
    port: u16,
}

impl Alertmanager {
    /// Starts one with this configuration; its file and state go into a folder that exists.
    #[must_use]
    pub fn start(config: &str, folder: &Path) -> Self {
        std::fs::write(file(folder), config).unwrap();
        Self::start_at(free_port(), folder)
    }

    /// Starts one on this port with the configuration that is in the folder.
    #[must_use]
    pub fn start_at(port: u16, folder: &Path) -> Self {
        // Debian's is not called as its makers call it, and reads what was installed beside it.
        let program = tool(&["alertmanager", "prometheus-alertmanager"]);
        let log = std::fs::File::create(folder.join("alertmanager.log")).unwrap();
        let child = Command::new(&program)
            .arg(format!("--config.file={}", file(folder).display()))
            .arg(format!("--storage.path={}", folder.join("alertmanager").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--cluster.listen-address=")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self { child, port }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("alertmanager.yaml")
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
