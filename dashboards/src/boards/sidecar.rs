//! What is seen from outside: checks, the machine, the canary.

use alerts::overrides::RuleSet;
use catalog::JOB_SIDECAR;
use catalog::sidecar::{
    CANARY_ATTEMPTS, CANARY_DURATION, CANARY_SUCCESS, CGROUP_MEMORY, CGROUP_MEMORY_LIMIT,
    CHECK_DURATION, CHECK_LAST_SUCCESS, CHECK_STATUS, DISK_AVAILABLE, DISK_TOTAL, DISK_USED,
    MEMORY_PRESSURE, PROCESS_CPU, PROCESS_RESIDENT_MEMORY, PROCESS_START_TIME, PROCESS_THREADS,
    SEQUENCER_CPU, SEQUENCER_FD_LIMIT, SEQUENCER_FDS, SEQUENCER_MEMORY, SEQUENCER_START_TIME,
    SEQUENCER_THREADS, SEQUENCER_UP, SYSTEM_MEMORY_AVAILABLE, SYSTEM_MEMORY_TOTAL,
};

use super::{NOTHING_LACKS, lines, plain, stacked, stat, timeline, witness};
use crate::builder::threshold::{CRITICAL, GOOD, NEUTRAL, WARNING};
use crate::builder::{Board, Panel, Unit};
use crate::query::{quantile, rate, sum};

pub(super) fn board(set: &RuleSet) -> Board {
    Board::new(
        "stateset-sidecar",
        "Sequencer / Sidecar and witness",
        "What the sidecar sees from outside: checks, disk, memory, the canary, the witness.",
    )
    .row("Checks", checks(set))
    .row("Canary", canary(set))
    .row("Witness", witness::panels(set))
    .row("Disk", disk(set))
    .row("Memory and process of the sequencer", process(set))
    .row("The sidecar itself", itself(set))
}

fn checks(set: &RuleSet) -> Vec<Panel> {
    let up = |panel: Panel| panel.states(&[(1.0, "alive", GOOD), (0.0, "dead", CRITICAL)]);
    vec![
        timeline(
            "Every check",
            "Result of each check after hysteresis: 1 good, 0.5 warning, 0 failed.",
            "all green",
            "SequencerNotReady",
        )
        .size(16, 9)
        .query(&plain(&CHECK_STATUS), "{{check}} {{instance}}")
        .states(&[
            (1.0, "good", GOOD),
            (0.5, "warning", WARNING),
            (0.0, "failed", CRITICAL),
        ]),
        up(stat(
            "Sequencer alive",
            "1 while the process answers its liveness probe on the sidecar's side.",
            "alive",
            "SequencerInstanceDown",
        )
        .size(8, 4)
        .query(&plain(&SEQUENCER_UP), "{{instance}}")),
        stat(
            "Sequencer began",
            "When the sequencer's process began, as the sidecar sees it.",
            "the last deploy",
            "SequencerRestartingOften",
        )
        .size(8, 5)
        .unit(Unit::FromNow)
        .coloured(NEUTRAL)
        .query(&format!("{} * 1000", plain(&SEQUENCER_START_TIME)), "{{instance}}"),
        lines(
            "Check duration",
            "Time that the last run of each check took.",
            "milliseconds",
            "SidecarChecksStale",
        )
        .size(8, 8)
        .unit(Unit::Seconds)
        .query(&plain(&CHECK_DURATION), "{{check}} {{instance}}"),
        lines(
            "Time since a good result",
            "Time since each check was last good.",
            "seconds",
            "SidecarChecksStale",
        )
        .size(8, 8)
        .unit(Unit::Seconds)
        .query(&format!("time() - {}", plain(&CHECK_LAST_SUCCESS)), "{{check}} {{instance}}"),
        Panel::of_alerts(set, "Time since a run", &["SidecarChecksStale"])
            .legend("{{check}} {{instance}}")
            .size(8, 8),
        Panel::of_alerts(set, "Clock difference", &["SequencerClockSkew"])
            .legend("{{source}} {{instance}}"),
        Panel::of_alerts(
            set,
            "Time left of certificates",
            &["SequencerTlsCertificateExpiring", "SequencerTlsCertificateEnding"],
        )
        .empty_when("no certificate is named in TLS_CERTIFICATES"),
    ]
}

fn canary(set: &RuleSet) -> Vec<Panel> {
    vec![
        Panel::of_alerts(set, "Canary rounds", &["CanaryFailing"])
            .states(&[(1.0, "good", GOOD), (0.0, "failing", CRITICAL)]),
        Panel::of_alerts(set, "Time since a good round", &["CanaryStale"]).size(12, 6),
        stacked(
            "Attempts by outcome",
            "Rounds of the canary a minute: the reachability objective counts these.",
            "all successes",
            "CanaryFailing",
        )
        .size(8, 8)
        .unit(Unit::PerMinute)
        .query(&format!("{} * 60", sum("outcome", &rate(&CANARY_ATTEMPTS, &[]))), "{{outcome}}"),
        lines(
            "P95 by step",
            "Time that 95 % of the good rounds need for each step, as a client sees it.",
            "post below 50 ms; commitment waits for the committer",
            "CanaryFailing",
        )
        .size(8, 8)
        .unit(Unit::Seconds)
        .query(&quantile(0.95, "step", &CANARY_DURATION, &[]), "{{step}}"),
        stat("Canary now", "Result of the last round of each sidecar.", "good", "CanaryFailing")
            .size(8, 8)
            .query(&plain(&CANARY_SUCCESS), "{{instance}}")
            .states(&[(1.0, "good", GOOD), (0.0, "failing", CRITICAL)]),
    ]
}

fn disk(set: &RuleSet) -> Vec<Panel> {
    vec![
        Panel::of_alerts(
            set,
            "Disk in use",
            &["SequencerDiskFilling", "SequencerDiskAlmostFull", "SequencerDiskFull"],
        )
        .size(8, 8),
        lines(
            "Disk",
            "Bytes of the file system of the data folder: size, in use, and what can be written.",
            "available does not fall towards 0",
            "SequencerDiskFull",
        )
        .size(8, 8)
        .unit(Unit::Bytes)
        .query(&plain(&DISK_TOTAL), "size {{instance}}")
        .query(&plain(&DISK_USED), "in use {{instance}}")
        .query(&plain(&DISK_AVAILABLE), "available {{instance}}"),
        Panel::of_alerts(set, "Available in four hours", &["SequencerDiskFullSoon"]).size(8, 8),
        Panel::of_alerts(set, "Data folder", &["SequencerDataDirectoryNotWritable"])
            .states(&[(1.0, "takes a write", GOOD), (0.0, "takes no write", CRITICAL)]),
    ]
}

fn process(set: &RuleSet) -> Vec<Panel> {
    vec![
        Panel::of_alerts(set, "Memory limit in use", &["SequencerMemoryPressure"]).size(8, 8),
        Panel::of_alerts(set, "Memory stalls", &["SequencerMemoryStalled"]).size(8, 8),
        lines(
            "Memory",
            "Memory of the control group and its limit, and resident memory of the process.",
            "levels off below the limit",
            "SequencerMemoryPressure",
        )
        .size(8, 8)
        .unit(Unit::Bytes)
        .query(&plain(&CGROUP_MEMORY), "group {{instance}}")
        .query(&plain(&CGROUP_MEMORY_LIMIT), "limit {{instance}}")
        .query(&plain(&SEQUENCER_MEMORY), "process {{instance}}"),
        lines(
            "Memory stalls seen by the sidecar",
            "Share of the last minute in which a task of the machine waited for memory.",
            "0",
            "SequencerMemoryStalled",
        )
        .size(8, 8)
        .unit(Unit::Ratio)
        .query(&plain(&MEMORY_PRESSURE), "{{instance}}")
        .empty_when("the kernel has no figures of pressure"),
        lines(
            "Memory of the machine",
            "Memory of the machine, and what could be given out without swapping.",
            "available stays above a tenth",
            "SequencerMemoryPressure",
        )
        .size(8, 8)
        .unit(Unit::Bytes)
        .query(&plain(&SYSTEM_MEMORY_TOTAL), "size {{instance}}")
        .query(&plain(&SYSTEM_MEMORY_AVAILABLE), "available {{instance}}"),
        lines(
            "File descriptors",
            "Open descriptors of the sequencer's process and their limit.",
            "far below the limit",
            "SequencerFileDescriptorsNearLimit",
        )
        .size(8, 8)
        .query(&plain(&SEQUENCER_FDS), "open {{instance}}")
        .query(&plain(&SEQUENCER_FD_LIMIT), "limit {{instance}}"),
        lines(
            "CPU",
            "Cores that the sequencer's process uses.",
            "below the cores it may use",
            "SequencerHighLatency",
        )
        .query(&rate(&SEQUENCER_CPU, &[]), "{{instance}}"),
        lines("Threads", "Threads of the sequencer's process.", "steady", "SequencerHighLatency")
            .query(&plain(&SEQUENCER_THREADS), "{{instance}}"),
    ]
}

fn itself(set: &RuleSet) -> Vec<Panel> {
    let job = [("job", "=", JOB_SIDECAR)];
    let of = |metric| alerts::promql::series(metric, &job);
    vec![
        Panel::of_alerts(set, "Sidecars that answer", &["SidecarDown"])
            .states(&[(1.0, "all answer", GOOD), (0.0, "one is missing", WARNING)])
            .size(8, 6),
        Panel::of_alerts(set, "Sidecars without metrics", &["SidecarMetricsAbsent"])
            .good("empty")
            .empty_when(NOTHING_LACKS)
            .size(8, 6),
        lines(
            "CPU of the sidecar",
            "Cores that the sidecar uses.",
            "hundredths; more while the witness catches up",
            "SidecarDown",
        )
        .size(8, 6)
        .query(&rate(&PROCESS_CPU, &job), "{{instance}}"),
        lines(
            "Memory of the sidecar",
            "Resident memory of the sidecar.",
            "below 30 MiB",
            "SidecarDown",
        )
        .size(8, 6)
        .unit(Unit::Bytes)
        .query(&of(&PROCESS_RESIDENT_MEMORY), "{{instance}}"),
        lines("Threads of the sidecar", "Threads of the sidecar.", "steady", "SidecarDown")
            .size(8, 6)
            .query(&of(&PROCESS_THREADS), "{{instance}}"),
        stat(
            "Sidecar began",
            "When the sidecar's process began.",
            "the last deploy",
            "SidecarDown",
        )
        .size(12, 8)
        .unit(Unit::FromNow)
        .coloured(NEUTRAL)
        .query(&format!("{} * 1000", of(&PROCESS_START_TIME)), "{{instance}}"),
    ]
}
