//! Replication lag, on a real primary with a real standby.

use std::time::{Duration, Instant};

use sidecar::store::{Figures, PostgresFigures, StoreView};

use crate::rooms::{LIMIT, Rooms};
use crate::server::{administrator, own, role, run};

/// The figures of a view.
fn figures(view: &StoreView) -> Option<&PostgresFigures> {
    match &view.figures {
        Some(Figures::Postgres(figures)) => Some(figures),
        _ => None,
    }
}

fn lags(view: &StoreView, wanted: impl Fn(f64) -> bool) -> bool {
    figures(view).and_then(|found| found.replication_lag_seconds).is_some_and(wanted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_stands_still_lags_and_one_that_is_cut_off_too() {
    let (primary, folder) = (own(), tempfile::tempdir().unwrap());
    let url = primary.database().await;
    let watcher = role(&url, "watcher", "GRANT pg_monitor TO watcher").await;
    let standby = primary.standby();
    let standby_url = url.replace(&primary.port().to_string(), &standby.port().to_string());
    let on_primary = Rooms::store(folder.path(), &watcher).await;
    let of_watcher = standby_url.replace("postgres@", "watcher@");
    let on_standby = Rooms::store(folder.path(), &of_watcher).await;
    let good = |view: &StoreView| lags(view, |lag| lag < 0.5);
    let one = |view: &StoreView| figures(view).is_some_and(|found| found.standbys == Some(1));
    on_primary.store_when(|view| one(view) && good(view)).await;
    let first = on_standby.store_when(good).await;
    let found = figures(&first).unwrap();
    assert_eq!((found.is_standby, found.standbys), (true, None), "{first:#?}");
    assert!(first.notes.iter().all(|note| !note.contains("lag")), "{first:#?}");

    // It receives, and replays nothing: its replies go on, so that the server measures nothing.
    let mut of_standby = administrator(&standby_url).await;
    run(&mut of_standby, "SELECT pg_wal_replay_pause()").await;
    let mut of_primary = administrator(&url).await;
    run(&mut of_primary, "CREATE TABLE written AS SELECT generate_series(1, 1000) AS x").await;
    let paused = Instant::now();
    for rooms in [&on_primary, &on_standby] {
        rooms.store_when(|view| lags(view, |lag| lag > 1.5)).await;
    }
    let view = on_primary.next_look().await;
    assert!(lags(&view, |lag| lag <= paused.elapsed().as_secs_f64() + 0.5), "{view:#?}");
    run(&mut of_standby, "SELECT pg_wal_replay_resume()").await;
    for rooms in [&on_primary, &on_standby] {
        rooms.store_when(good).await;
    }
    let name = "stateset_sidecar_store_postgres_replication_lag_seconds";
    let shown = crate::stack::sample_of(&on_primary.scrape(), name).unwrap();
    assert!((0.0..0.5).contains(&shown), "{shown}");

    // Without its primary a standby has replayed all that it got, and is late all the same.
    run(&mut of_primary, "DROP TABLE written").await;
    on_standby.store_when(good).await;
    primary.stop("INT");
    on_primary.store_fails(&["refused"]).await;
    on_standby.store_when(|view| lags(view, |lag| lag > 1.0)).await;
    assert!(paused.elapsed() < LIMIT + Duration::from_secs(30));
}
