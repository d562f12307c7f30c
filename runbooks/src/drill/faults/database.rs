//! What others do to the database: locks, long transactions, too many sessions, a standby that
//! stops.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use testbed::agent::query;
use testbed::stack::ADMIN_KEY;
use testbed::writer::Writer;
use tokio::task::JoinHandle;

use super::Fault;
use crate::drill::stage::Stage;

/// Events of each request of a client that posts: sixty of them fill a queue of a thousand.
const POSTED: usize = 16;
/// What the session with the lock calls itself.
const MIGRATION: &str = "night-migration";

/// A session that has locked tables: left open and idle, or held and given back for ever.
pub struct Locked {
    sql: String,
    /// Seconds for which it is held and free; none: it is never given back.
    rhythm: Option<(f64, f64)>,
    /// Clients that read commitments at the same time.
    readers: usize,
    /// Clients that post events at the same time.
    posters: usize,
    idle: Option<PgConnection>,
    tasks: Vec<JoinHandle<()>>,
}

impl Locked {
    /// Held until it is ended. Mode and tables as `LOCK TABLE` calls them.
    #[must_use]
    pub fn open(tables: &str, mode: &str) -> Box<Self> {
        Box::new(Self {
            sql: format!("LOCK TABLE {tables} IN {mode} MODE"),
            rhythm: None,
            readers: 0,
            posters: 0,
            idle: None,
            tasks: Vec::new(),
        })
    }

    /// Held for so many seconds, free for so many, again and again.
    #[must_use]
    pub fn slow(tables: &str, mode: &str, held: f64, free: f64) -> Box<Self> {
        let mut fault = Self::open(tables, mode);
        fault.rhythm = Some((held, free));
        fault
    }

    /// With clients that read commitments meanwhile.
    #[must_use]
    pub fn readers(mut self: Box<Self>, readers: usize) -> Box<Self> {
        self.readers = readers;
        self
    }

    /// With clients that post events meanwhile.
    #[must_use]
    pub fn posters(mut self: Box<Self>, posters: usize) -> Box<Self> {
        self.posters = posters;
        self
    }
}

#[async_trait]
impl Fault for Locked {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let sequencer = stage.sequencer(0)?;
        let writer = Writer::register(sequencer).await;
        writer.post(1).await;
        for _ in 0..self.posters {
            let writer = writer.clone();
            self.tasks.push(tokio::spawn(async move {
                loop {
                    if writer.post_events(&writer.agent.events(POSTED)).await.is_none() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            }));
        }
        let mut session = stage.database(MIGRATION).await?;
        let Some((held, free)) = self.rhythm else {
            session.execute(AssertSqlSafe(format!("BEGIN; {}", self.sql))).await?;
            self.idle = Some(session);
            let path = format!("/api/v1/ves/commitments?{}", query(writer.agent.stream));
            let url = format!("{}{path}", sequencer.url);
            for _ in 0..self.readers {
                self.tasks.push(tokio::spawn(read_for_ever(url.clone())));
            }
            return Ok(());
        };
        let sql = format!("BEGIN; {}; SELECT pg_sleep({held}); COMMIT", self.sql);
        self.tasks.push(tokio::spawn(async move {
            // Until somebody ends the session.
            while session.execute(AssertSqlSafe(sql.clone())).await.is_ok() {
                tokio::time::sleep(Duration::from_secs_f64(free)).await;
            }
        }));
        Ok(())
    }

    async fn end(&mut self, _stage: &mut Stage) -> anyhow::Result<()> {
        self.idle = None;
        self.tasks.drain(..).for_each(|task| task.abort());
        Ok(())
    }
}

/// A client that asks again as soon as it is answered.
async fn read_for_ever(url: String) {
    let http = reqwest::Client::new();
    loop {
        let request = http.get(&url).header("authorization", format!("ApiKey {ADMIN_KEY}"));
        let answered = request.timeout(Duration::from_secs(30)).send().await;
        if !answered.is_ok_and(|answer| answer.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A report that was begun and never ended.
#[derive(Default)]
pub struct LongTransaction(Option<PgConnection>);

#[async_trait]
impl Fault for LongTransaction {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let mut session = stage.database("forgotten-report").await?;
        session.execute("BEGIN; SELECT count(*) FROM events").await?;
        self.0 = Some(session);
        Ok(())
    }
}

/// A pool of sessions that nobody uses, until 85 % of what the server allows is taken.
#[derive(Default)]
pub struct Sessions(Vec<PgConnection>);

#[async_trait]
impl Fault for Sessions {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let mut session = stage.database("forgotten-pool").await?;
        let ask = "SELECT current_setting('max_connections')::bigint * 85 / 100 - count(*) \
                   FROM pg_stat_activity";
        let missing: i64 = sqlx::query_scalar(ask).fetch_one(&mut session).await?;
        self.0.push(session);
        for _ in 0..missing {
            self.0.push(stage.database("forgotten-pool").await?);
        }
        Ok(())
    }
}

/// A standby that takes what is written and replays nothing.
pub struct ReplayPaused;

impl ReplayPaused {
    async fn tell(stage: &Stage, sql: &'static str) -> anyhow::Result<()> {
        let standby = stage.postgres.as_ref().and_then(|(_, standby)| standby.as_ref());
        let url = standby.context("there is no standby")?.url("postgres");
        let mut session = PgConnection::connect(&url).await?;
        session.execute(sql).await?;
        Ok(session.close().await?)
    }
}

#[async_trait]
impl Fault for ReplayPaused {
    async fn begin(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        Self::tell(stage, "SELECT pg_wal_replay_pause()").await
    }

    async fn end(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        Self::tell(stage, "SELECT pg_wal_replay_resume()").await
    }
}
