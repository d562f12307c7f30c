//! A sound log is followed to its head, and the figures say so.

use crate::fixture::{LIMIT, Watched};
use crate::writer::Writer;

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_followed_to_its_head() {
    let watched = Watched::with_events(50).await;
    let other = Writer::register(&watched.stack.sequencer).await;
    for _ in 0..3 {
        other.post(1000).await;
    }
    let other = Watched { writer: other, stack: watched.stack };
    other.wait_until_verified(3000.0).await;
    let sidecar = other.sidecar();
    let name = |name: &str| format!("stateset_sidecar_witness_{name}");
    for (series, expect) in
        [("streams", 2.0), ("verified_events_total", 3050.0), ("signature_sample_ratio", 1.0)]
    {
        sidecar.wait_for(&name(series), LIMIT, |value| value == expect).await;
    }
    for series in ["lag_events", "lag_seconds", "oldest_unverified_age_seconds", "catching_up"] {
        sidecar.wait_for(&name(series), LIMIT, |value| value == 0.0).await;
    }
    for kind in ves::ViolationKind::ALL {
        let open = sidecar.sample(&crate::fixture::open_series(kind.as_str())).await;
        assert_eq!(open, Some(0.0), "{kind}");
    }
    other.wait_until_audited().await;
    let audited = sidecar.sample(&name("audited_events_total")).await.unwrap();
    assert!(audited >= 3050.0, "{audited}");
    let last_poll = sidecar.sample(&name("last_poll_timestamp_seconds")).await.unwrap();
    sidecar.wait_for(&name("last_poll_timestamp_seconds"), LIMIT, |now| now > last_poll).await;
    let resident = sidecar.sample("process_resident_memory_bytes").await.unwrap();
    println!("{:.1} MiB resident", resident / 1024.0 / 1024.0);
    // The whole sidecar after 3,050 events at the tail and again and again in the second loop,
    // unoptimised: a release build is a few MiB smaller.
    assert!(resident < 40.0 * 1024.0 * 1024.0, "{resident} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_where_it_was() {
    let watched = Watched::with_events(30).await;
    let watched = watched.restart_sidecar(false);
    watched.post(10).await;
    let verified = "stateset_sidecar_witness_verified_events_total";
    assert_eq!(watched.sidecar().sample(verified).await, Some(10.0));
    watched.wait_until_audited().await;
    watched.assert_open(&[]);
}
