//! Replicas of one sequencer: one database, one set of keys, as many processes as a test wants.

use std::process::{Command, Stdio};
use std::thread;

use tempfile::TempDir;
use uuid::Uuid;
use ves::Hash32;

use crate::agent::{Agent, seed};
use crate::client::Client;
use crate::postgres::Postgres;
use crate::process::{Process, command_over, sequencer};

/// What replicas share.
pub(crate) struct Cluster {
    folder: TempDir,
    database_url: String,
    key: String,
    receipt_seed: String,
}

impl Cluster {
    /// An empty database of the shared server, and keys.
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let key = format!("ss_{}", Uuid::new_v4().simple());
        // Where a process of the tests looks for it.
        std::fs::write(folder.path().join("bootstrap.key"), &key).unwrap();
        let database_url = Postgres::shared().database().await;
        Self { folder, database_url, key, receipt_seed: Hash32(seed()).to_string() }
    }

    /// The same with another receipt key: what a replica is started with after a rotation.
    pub(crate) fn with_new_receipt_key(&mut self) {
        self.receipt_seed = Hash32(seed()).to_string();
    }

    /// A replica that serves.
    pub(crate) fn start(&self) -> Process {
        Process::run(self.serve(), self.folder.path())
    }

    /// A replica with this setting.
    pub(crate) fn start_with(&self, name: &str, value: &str) -> Process {
        let mut command = self.serve();
        command.env(name, value);
        Process::run(command, self.folder.path())
    }

    /// So many replicas, started at the same time.
    pub(crate) fn start_together(&self, count: usize) -> Vec<Process> {
        thread::scope(|scope| {
            let starts: Vec<_> = (0..count).map(|_| scope.spawn(|| self.start())).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        })
    }

    fn serve(&self) -> Command {
        let mut command = command_over(&self.database_url, self.folder.path(), &[]);
        command
            .env("BOOTSTRAP_ADMIN_API_KEY", &self.key)
            .env("VES_SEQUENCER_SIGNING_KEY", &self.receipt_seed);
        command
    }

    /// A command of the program over the database.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = sequencer(&[name, "--database-url", &self.database_url]);
        command.env("SEQUENCER_API_KEY", &self.key).stdin(Stdio::null());
        command
    }

    /// `sequencer verify` finds nothing, neither in the store nor in what a replica shows.
    pub(crate) fn verify(&self, replica: &Client) {
        let over_store = self.program("verify").output().unwrap();
        let over_http = self.program("verify").args(["--url", &replica.base]).output().unwrap();
        for output in [over_store, over_http] {
            let said = String::from_utf8_lossy(&output.stdout);
            let complained = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{said}{complained}");
        }
    }
}

/// Writers may wait for each other, never in a circle. Of the server that all tests share: whoever
/// causes one, every test that ends later fails.
pub(crate) fn no_deadlock() {
    let log = Postgres::shared().log();
    assert!(log.contains("database system is ready"), "not the server's log: {log}");
    let found = log.lines().find(|line| line.contains("deadlock detected"));
    assert!(found.is_none(), "{log}");
}

/// A new agent whose key this replica has registered.
pub(crate) async fn registered(replica: &Client) -> Agent {
    register(replica, Agent::new()).await
}

/// Registers the agent's key.
pub(crate) async fn register(replica: &Client, agent: Agent) -> Agent {
    replica.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
    agent
}
