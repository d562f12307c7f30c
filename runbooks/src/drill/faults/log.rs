//! What is done to the log behind the sequencer's back, and to the file that it lives in.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use async_trait::async_trait;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use testbed::stack::database_file;
use testbed::writer::Writer;

use super::Fault;
use crate::drill::stage::Stage;

/// The payload of a stored event, changed in the database.
pub struct RowChanged;

#[async_trait]
impl Fault for RowChanged {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let mut store = SqliteConnection::connect(&stage.database_url).await?;
        // Not the canary's stream, which may be shorter.
        let change = "UPDATE events SET payload = '{\"count\":0}' WHERE sequence_number = 20";
        let changed = store.execute(change).await?.rows_affected();
        store.close().await?;
        anyhow::ensure!(changed > 0, "there is no event with number 20 yet");
        Ok(())
    }
}

/// A backup of some seconds ago, restored.
pub struct BackupRestored;

#[async_trait]
impl Fault for BackupRestored {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let folder = stage.folder().join("store");
        let (live, backup) = (database_file(&folder), folder.join("backup.db"));
        let mut store = SqliteConnection::connect(&stage.database_url).await?;
        sqlx::query("VACUUM INTO ?").bind(backup.display().to_string()).execute(&mut store).await?;
        store.close().await?;
        // What is written after it is lost by the restore.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let running = stage.sequencers[0].take().context("the sequencer does not run")?;
        running.running.stop();
        for file in [live.clone(), beside(&live, "-wal"), beside(&live, "-shm")] {
            if file.exists() {
                std::fs::remove_file(file)?;
            }
        }
        std::fs::rename(backup, live)?;
        stage.start_sequencer(0, &[]);
        Ok(())
    }
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// A reader that keeps its snapshot while much is written.
#[derive(Default)]
pub struct SnapshotHeld(Option<SqliteConnection>);

/// Requests of eight events with this much payload each: 270 MiB.
const REQUESTS: usize = 144;
const EVENTS: usize = 8;
const PAYLOAD_BYTES: usize = 250_000;

#[async_trait]
impl Fault for SnapshotHeld {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let mut reader = SqliteConnection::connect(&stage.database_url).await?;
        reader.execute("BEGIN; SELECT count(*) FROM streams").await?;
        self.0 = Some(reader);
        let writer = Writer::register(stage.sequencer(0)?).await;
        let note = "x".repeat(PAYLOAD_BYTES);
        for _ in 0..REQUESTS {
            let event = || writer.agent.event_with(|draft| draft.payload = json!({ "note": note }));
            let events: Vec<_> = (0..EVENTS).map(|_| event()).collect();
            writer.post_events(&events).await.context("the events are not accepted")?;
        }
        Ok(())
    }

    async fn end(&mut self, _stage: &mut Stage) -> anyhow::Result<()> {
        let mut reader = self.0.take().context("there is no reader")?;
        // The file keeps its size until somebody asks for it to be cut.
        reader.execute("ROLLBACK; PRAGMA wal_checkpoint(TRUNCATE)").await?;
        Ok(reader.close().await?)
    }
}
