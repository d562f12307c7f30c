//! What works, what does not, since when, and why.

use std::time::{Duration, Instant};

use catalog::label::BreakerState;
use serde::Serialize;
use tokio::sync::Mutex;
use ves::Timestamp;

use crate::app::App;
use crate::clock;
use crate::store::PoolStatus;

/// A result is given again for this long, so that nobody can make the store busy by asking.
const FRESH: Duration = Duration::from_millis(250);
/// Longest wait for the store's answer.
const STORE_TIMEOUT: Duration = Duration::from_secs(2);
/// Share of the queue above which it counts as saturated.
const QUEUE_SATURATED_RATIO: f64 = 0.8;
/// Age of the oldest unsealed event above which sealing counts as stuck.
const SEALING_STUCK_SECONDS: f64 = 300.0;

/// State of a part.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Healthy,
    /// Some requests fail or wait.
    Degraded,
    /// No request can succeed.
    Unhealthy,
}

/// One part of the process.
#[derive(Clone, Debug, Serialize)]
pub struct Component {
    /// Stable name.
    pub name: &'static str,
    /// Its state.
    pub status: Status,
    /// Why, in words; `null` when healthy.
    pub reason: Option<String>,
    /// When it came into this state.
    pub since: Timestamp,
}

/// All parts at one moment.
#[derive(Clone, Debug)]
pub struct Report {
    /// Store, disk, queue, sealing.
    pub components: Vec<Component>,
    /// Time that the store took to answer, milliseconds; `None` when it did not.
    pub store_millis: Option<u64>,
    /// Connections of the store.
    pub pool: PoolStatus,
    /// Events in no batch.
    pub unsealed_events: u64,
    /// Age of the oldest of them; 0 when there is none.
    pub oldest_unsealed_seconds: f64,
}

impl Report {
    /// The worst state of a part.
    #[must_use]
    pub fn status(&self) -> Status {
        let has = |status| self.components.iter().any(|component| component.status == status);
        match () {
            () if has(Status::Unhealthy) => Status::Unhealthy,
            () if has(Status::Degraded) => Status::Degraded,
            () => Status::Healthy,
        }
    }

    /// Why it is not healthy.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let reason = |component: &Component| {
            component.reason.as_ref().map(|reason| format!("{}: {reason}", component.name))
        };
        self.components.iter().filter_map(reason).collect()
    }
}

/// Looks at the parts, one look at a time.
#[derive(Default)]
pub struct Health {
    last: Mutex<Option<(Instant, Report)>>,
}

impl Health {
    /// The state now, at most a quarter of a second old. While the store is not asked, looking
    /// costs nothing, and an older report would say that all is well.
    pub async fn report(&self, app: &App) -> Report {
        let mut last = self.last.lock().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < FRESH
            && app.breaker.state() == BreakerState::Closed
        {
            return report.clone();
        }
        let mut report = look(app).await;
        if let Some((_, before)) = &*last {
            keep_since(&before.components, &mut report.components);
        }
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

fn keep_since(before: &[Component], now: &mut [Component]) {
    for component in now {
        let same = |old: &&Component| old.name == component.name && old.status == component.status;
        if let Some(old) = before.iter().find(same) {
            component.since = old.since;
        }
    }
}

async fn look(app: &App) -> Report {
    let asked = Instant::now();
    let answer = tokio::time::timeout(STORE_TIMEOUT, async {
        app.store.ping().await?;
        app.store.backlog_total().await
    });
    let answer = answer.await;
    let store_millis = u64::try_from(asked.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (store, unsealed) = match answer {
        Ok(Ok(unsealed)) => (None, Some(unsealed)),
        _ if app.breaker.state() != BreakerState::Closed => {
            let reason = "it fails or hangs and is only probed (its circuit breaker is open)";
            (Some(reason.to_owned()), None)
        }
        Ok(Err(_)) => (Some("the store answers with an error".to_owned()), None),
        Err(_) => {
            (Some(format!("the store did not answer in {} s", STORE_TIMEOUT.as_secs())), None)
        }
    };
    let (unsealed_events, oldest) = unsealed.unwrap_or((0, None));
    let age = oldest.map_or(0, |at| clock::now().as_micros() - at.as_micros()).max(0);
    let oldest_unsealed_seconds = age as f64 / 1e6;
    let store_answers = store.is_none();
    Report {
        components: vec![
            component("store", Status::Unhealthy, store),
            component("disk", Status::Degraded, disk_problem(app)),
            component("queue", Status::Degraded, queue_problem(app)),
            component("sealing", Status::Degraded, sealing_problem(app, oldest_unsealed_seconds)),
        ],
        store_millis: store_answers.then_some(store_millis),
        pool: app.store.pool_status(),
        unsealed_events,
        oldest_unsealed_seconds,
    }
}

fn component(name: &'static str, bad: Status, reason: Option<String>) -> Component {
    let status = if reason.is_some() { bad } else { Status::Healthy };
    Component { name, status, reason, since: clock::now() }
}

/// True while writes are refused for want of room on the disk.
#[must_use]
pub fn is_disk_full(app: &App) -> bool {
    disk_floor(app).is_some()
}

/// The bytes that would have to be free, when fewer are.
fn disk_floor(app: &App) -> Option<u64> {
    let room = app.store.disk_room()?;
    let floor = room.floor_bytes(app.config.min_free_disk_bytes);
    (room.available_bytes < floor).then_some(floor)
}

fn disk_problem(app: &App) -> Option<String> {
    let floor = disk_floor(app)?;
    Some(format!("less than {floor} bytes are free, writes are refused (disk_full)"))
}

fn queue_problem(app: &App) -> Option<String> {
    let (depth, capacity) = (app.queue.depth(), app.queue.capacity());
    if f64::from(depth) > QUEUE_SATURATED_RATIO * f64::from(capacity) {
        return Some(format!("{depth} of {capacity} events are waiting for the store"));
    }
    let inside = app.admission.inside();
    let is_shedding = app.admission.is_shedding();
    is_shedding.then(|| format!("{inside} events are under way, further ones are refused"))
}

fn sealing_problem(app: &App, oldest_seconds: f64) -> Option<String> {
    let on = app.config.committer_max_wait_secs > 0;
    let stuck = on && oldest_seconds > SEALING_STUCK_SECONDS;
    stuck.then(|| format!("the oldest event in no batch is {oldest_seconds:.0} s old"))
}
