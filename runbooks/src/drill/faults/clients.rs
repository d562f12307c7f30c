//! What clients do: too little, too much, with the wrong key, or holding on to what they have.

use std::net::TcpStream;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use testbed::writer::Writer;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::Fault;
use crate::drill::stage::Stage;

/// A key that no sequencer knows.
const UNKNOWN: &str = "ss_00000000wrongwrongwrongwrongwrongwrong00";

/// Clients that show this key as often as they can.
#[derive(Default)]
pub struct Storm {
    /// Whether it is a good key, of a tenant with a low limit.
    known: bool,
    tasks: Vec<JoinHandle<()>>,
}

impl Storm {
    /// With an unknown key.
    #[must_use]
    pub fn unknown_key() -> Box<Self> {
        Box::default()
    }

    /// Far above the tenant's limit.
    #[must_use]
    pub fn above_its_limit() -> Box<Self> {
        Box::new(Self { known: true, tasks: Vec::new() })
    }
}

#[async_trait]
impl Fault for Storm {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let tenant = Uuid::new_v4();
        let key = if self.known {
            let limited = json!({
                "read": true, "write": true, "admin": false, "rate_limit": 60, "tenant_id": tenant,
            });
            let made = stage.ask("POST", "/api/v1/admin/api-keys", Some(limited)).await?;
            made["api_key"].as_str().context("no key")?.to_owned()
        } else {
            UNKNOWN.to_owned()
        };
        let store = Uuid::new_v4();
        let path = format!("/api/v1/ves/head?tenant_id={tenant}&store_id={store}");
        let url = format!("{}{path}", stage.sequencer(0)?.url);
        for _ in 0..2 {
            let (http, url, key) = (stage.http.clone(), url.clone(), format!("ApiKey {key}"));
            self.tasks.push(tokio::spawn(async move {
                loop {
                    let _ = http.get(&url).header("authorization", &key).send().await;
                    tokio::time::sleep(Duration::from_millis(25)).await;
                }
            }));
        }
        Ok(())
    }

    async fn end(&mut self, _stage: &mut Stage) -> anyhow::Result<()> {
        self.tasks.drain(..).for_each(|task| task.abort());
        Ok(())
    }
}

/// Nobody posts any more.
pub struct Silence;

#[async_trait]
impl Fault for Silence {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.load.stop();
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        stage.load.resume();
        Ok(())
    }
}

/// A burst of batches, more than a slow witness can verify.
#[derive(Default)]
pub struct Burst(Vec<JoinHandle<()>>);

#[async_trait]
impl Fault for Burst {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let writer = Writer::register(stage.sequencer(0)?).await;
        self.0.push(tokio::spawn(async move {
            loop {
                writer.post_events(&writer.agent.events(200)).await;
            }
        }));
        Ok(())
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        self.0.drain(..).for_each(|task| task.abort());
        stage.start_sidecar(&["--witness-cpu-cores=1"]);
        Ok(())
    }
}

/// Connections that are opened and never used, until few descriptors are left.
#[derive(Default)]
pub struct IdleConnections(Vec<TcpStream>);

/// Descriptors that the process may have in this drill.
const DESCRIPTORS: u64 = 120;
/// So many are then open: more than 90 %, and a scrape still gets through.
const OPEN: usize = 112;

#[async_trait]
impl Fault for IdleConnections {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let sequencer = stage.sequencer(0)?;
        let id = sequencer.running.id();
        let limit = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
        prlimit(Pid::from_raw(id.cast_signed()), Resource::Nofile, limit)?;
        let open = || std::fs::read_dir(format!("/proc/{id}/fd")).map(Iterator::count);
        for _ in 0..300 {
            if open()? >= OPEN {
                return Ok(());
            }
            self.0.push(TcpStream::connect(("127.0.0.1", stage.ports[0].0))?);
            // It is accepted a moment later.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("{} descriptors are open", open()?)
    }

    async fn end(&mut self, _stage: &mut Stage) -> anyhow::Result<()> {
        self.0.clear();
        Ok(())
    }
}
