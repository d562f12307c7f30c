//! A disk that refuses to write or to sync, under load. The errors are put between the process and
//! the kernel, so this needs no root and no disk of its own.

use std::time::Duration;

use rustix::io::Errno;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::answer::eventually;
use crate::load::Load;
use crate::power_loss::Run;
use crate::process::{Process, command};
use crate::recorder::{Fault, Recorder};

/// Longest time from a disk that works again to a write that is accepted.
const RESUMED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_refused_reads_go_on_and_all_resumes_by_itself() {
    let (work, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let recorder = Recorder::new(work.path(), folder.path());
    let process = start(&recorder, &folder);
    let mut load = Load::new(&process.client).await.clock(&recorder.log);
    for fault in [
        Fault::Changes(Errno::NOSPC),
        Fault::Changes(Errno::ROFS),
        Fault::Changes(Errno::IO),
        Fault::Syncs(Errno::IO),
        Fault::Syncs(Errno::NOSPC),
    ] {
        println!("{fault:?}");
        strike(&recorder, &process, &mut load, fault).await;
        refused(&process, &load, fault).await;
        recorder.refuse(None);
        resumes(&process, &mut load).await;
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
    let mut run = Run::of(load, &recorder, work);
    let moments = run.moments(12);
    run.lose_power(moments).await;
}

/// A process that is killed leaves writes that the kernel has and the disk does not. The next
/// process reads them; before it acknowledges one of them, it must be on the disk.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_did_not_sync_is_synced_before_it_is_acknowledged() {
    let (work, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let recorder = Recorder::new(work.path(), folder.path());
    let mut process = start(&recorder, &folder);
    let mut load = Load::new(&process.client).await.clock(&recorder.log);
    for _ in 0..4 {
        strike(&recorder, &process, &mut load, Fault::LifeBeforeSync).await;
        process = revived(process, &recorder, &folder);
        load.retry(&process.client).await;
    }
    strike(&recorder, &process, &mut load, Fault::LifeBeforeSync).await;
    process.wait();
    let mut run = Run::of(load, &recorder, work);
    let moments = run.moments(24);
    run.lose_power(moments).await;
}

/// The same after a sync that failed: no later sync writes again what that one lost. A power loss
/// before the first commit of the next process is left out: until then SQLite moves into the
/// database what the disk does not have in the log, with what the kernel told it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_failed_sync_lost_is_written_again_before_it_is_acknowledged() {
    let (work, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let recorder = Recorder::new(work.path(), folder.path());
    let process = start(&recorder, &folder);
    let mut load = Load::new(&process.client).await.clock(&recorder.log);
    strike(&recorder, &process, &mut load, Fault::Syncs(Errno::IO)).await;
    strike(&recorder, &process, &mut load, Fault::LifeBeforeChange).await;
    let process = revived(process, &recorder, &folder);
    load.retry(&process.client).await;
    let committed = std::fs::metadata(&recorder.log).unwrap().len();
    strike(&recorder, &process, &mut load, Fault::LifeBeforeSync).await;
    process.wait();
    let mut run = Run::of(load, &recorder, work);
    let moments = run.moments_after(committed, 24);
    run.lose_power(moments).await;
}

/// The process that follows one that was killed.
fn revived(killed: Process, recorder: &Recorder, folder: &TempDir) -> Process {
    killed.wait();
    recorder.refuse(None);
    start(recorder, folder)
}

fn start(recorder: &Recorder, folder: &TempDir) -> Process {
    let mut serve = command(folder.path(), &[]);
    recorder.attach(&mut serve);
    Process::run(serve, folder.path())
}

/// The disk begins to refuse under load.
async fn strike(recorder: &Recorder, process: &Process, load: &mut Load, fault: Fault) {
    let running = load.begin(&process.client);
    tokio::time::sleep(Duration::from_millis(50 + load.below(200) as u64)).await;
    recorder.refuse(Some(fault));
    load.end_by_itself(running).await;
}

/// Every kind of write is refused as what it is, and all reads are answered.
async fn refused(process: &Process, load: &Load, fault: Fault) {
    let (client, agent) = (&process.client, &load.agents[0]);
    let answers = [
        client.try_ingest(&agent.events(2)).await,
        client.post("/api/v1/agents/keys", &Agent::new().key_body()).await,
    ];
    let full = matches!(fault, Fault::Changes(Errno::NOSPC));
    let reason = if full { "disk_full" } else { "disk_error" };
    for answer in answers {
        let error = answer.refused("SERVICE_UNAVAILABLE");
        assert_eq!(error["details"]["reason"], reason, "{fault:?}: {error}");
    }
    // The circuit breaker took refused writes for a store that fails, and kept readers away.
    for _ in 0..100 {
        let error = client.try_ingest(&agent.events(1)).await.refused("SERVICE_UNAVAILABLE");
        assert_eq!(error["details"]["reason"], reason, "{fault:?}: {error}");
        client.head_sequence(agent.stream).await;
    }
    client.get("/health").await.ok();
    load.check(client, false).await;
}

/// Writes are accepted again without a restart, and what was never answered can be repeated.
async fn resumes(process: &Process, load: &mut Load) {
    let agent = load.agents[0].clone();
    eventually(RESUMED, || async {
        let answer = process.client.try_ingest(&agent.events(1)).await;
        (answer.status == 200).then_some(())
    })
    .await;
    load.retry(&process.client).await;
    load.check(&process.client, false).await;
}
