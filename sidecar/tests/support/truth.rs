//! The truth table: which fault each check and each violation was shown under, and by which test.
//! `docs/health.md` is written from it; the golden test checks that nothing is missing.

use std::fmt::Write as _;

/// One fault that a test injects and ends.
pub(crate) struct Row {
    /// Name of the check or of the violation.
    pub(crate) what: &'static str,
    /// What is broken, and how.
    pub(crate) fault: &'static str,
    /// What the sidecar then shows.
    pub(crate) shows: &'static str,
    /// How it ends, after which it is good again.
    pub(crate) ends: &'static str,
    /// The test.
    pub(crate) test: &'static str,
    /// Whether that test needs root.
    pub(crate) root: bool,
}

macro_rules! rows {
    ($(
        $what:literal: $fault:literal => $shows:literal, ends $ends:literal, by $test:ident
        $($root:ident)?;
    )+) => {
        &[$(Row {
            what: $what,
            fault: $fault,
            shows: $shows,
            ends: $ends,
            test: stringify!($test),
            root: rows!(@is_root $($root)?),
        }),+]
    };
    (@is_root root) => { true };
    (@is_root) => { false };
}

/// The checks, in `sidecar/tests/checks`.
pub(crate) const CHECKS: &[Row] = rows! {
    "sequencer_live": "process killed with SIGKILL"
        => "fail: connection refused, nothing listens on the port; `sequencer_up` 0",
        ends "a new process on the same port",
        by a_killed_sequencer_is_down_and_up_again_when_it_is_back;
    "sequencer_live": "process stopped with SIGSTOP"
        => "fail: no answer, its process is stopped by a signal; `sequencer_up` 0",
        ends "SIGCONT", by a_frozen_sequencer_is_down_until_it_goes_on;
    "sequencer_live": "both of these with the default timers"
        => "fail within 25 s", ends "a new process, SIGCONT: ok within 25 s",
        by dead_frozen_and_back_are_reported_within_25_seconds_by_default;
    "sequencer_live": "SEQUENCER_URL names another service"
        => "fail: is not a sequencer, and what it says it is",
        ends "a corrected URL", by something_else_that_answers_is_no_sequencer;
    "sequencer_ready": "`POST /drain`"
        => "fail: draining; the sequencer stays alive",
        ends "a new process", by a_draining_sequencer_takes_no_traffic_until_a_new_one_does;
    "sequencer_ready": "database cut off by a proxy"
        => "fail with the sequencer's own reason", ends "the line is mended",
        by a_database_that_is_cut_off_is_said_until_it_is_back;
    "sequencer_ready": "disk filled until writes are refused"
        => "warn: disk_full; reads go on", ends "the disk is emptied",
        by a_disk_that_fills_up_is_said_in_four_steps_and_good_again_when_emptied root;
    "store": "connections of the database cut by a proxy"
        => "fail: the store answers with an error", ends "the line is mended",
        by a_database_that_is_cut_off_is_said_until_it_is_back;
    "store": "database silent: a proxy carries nothing and closes nothing"
        => "fail: the store did not answer in 2 s", ends "the line speaks again",
        by a_database_that_says_nothing_is_said_until_it_speaks;
    "store": "300 ms more in each direction"
        => "warn: the time it took, more than 500 ms", ends "the delay is gone",
        by a_database_that_is_slow_is_a_warning;
    "disk": "tmpfs filled to 86, 91 and 98 %"
        => "warn: filling; warn: almost full; fail: the sequencer refuses writes",
        ends "the disk is emptied",
        by a_disk_that_fills_up_is_said_in_four_steps_and_good_again_when_emptied root;
    "disk": "data folder removed"
        => "fail: it is missing", ends "the folder is made again",
        by a_data_folder_that_is_gone_is_said_until_it_is_back;
    "data_directory": "data folder removed, then a file in its place"
        => "fail: it is missing; it is not a folder", ends "the folder is made again",
        by a_data_folder_that_is_gone_is_said_until_it_is_back;
    "data_directory": "permission to write removed"
        => "fail: the sidecar's user has no permission", ends "the permission is given back",
        by a_data_folder_without_permission_is_said_until_it_is_given;
    "data_directory": "disk mounted read-only, then full"
        => "fail: the file system is read-only; no space is left",
        ends "mounted to be written; emptied",
        by a_read_only_data_folder_is_said_until_it_can_be_written root;
    "file_descriptors": "connections until 85 and 92 of 100 descriptors are open"
        => "warn above 80 %, fail above 90 %, with both figures", ends "the connections are closed",
        by few_free_descriptors_are_said_until_connections_are_closed;
    "file_descriptors": "the same in a process that cannot be seen"
        => "the same by the sequencer's own metrics, and says so",
        ends "the connections are closed",
        by descriptors_of_a_process_that_cannot_be_seen_are_those_it_names_itself;
    "memory": "limit of the sequencer's control group lowered to what it uses"
        => "warn above 80 %, fail above 90 %, with both figures", ends "the limit is raised",
        by memory_near_the_limit_of_the_control_group_is_said_until_it_is_raised root;
    "clock": "sequencer's clock set 5 s forward, then 60 s back (libfaketime)"
        => "warn: 5.0 s ahead; fail: 60 s behind", ends "the clock is right again",
        by a_clock_that_is_set_is_said_until_it_is_right_again;
    "tls_certificate": "certificate in a file of 10 days, of 1 day, broken, gone"
        => "warn: less than 14 days; fail: less than 2 days; fail in words",
        ends "a certificate of 300 days",
        by a_certificate_in_a_file_is_said_before_it_ends_and_good_when_it_is_renewed;
    "tls_certificate": "server shows one of 10 days, or does not answer"
        => "warn: less than 14 days; fail: cannot be reached", ends "a server with a good one",
        by a_servers_certificate_is_read_from_its_handshake;
};

/// The witness's violations, in `sidecar/tests/witness`.
pub(crate) const VIOLATIONS: &[Row] = rows! {
    "payload_hash": "payload of a stored event changed"
        => "open `payload_hash`", ends "the row is mended and the violation acknowledged",
        by a_row_changed_behind_its_back_is_found_and_mended;
    "signature": "agent's signature of a stored event overwritten"
        => "open `signature` and `root`", ends "the row is mended and the violation acknowledged",
        by a_row_changed_behind_its_back_is_found_and_mended;
    "gap": "number of a stored event changed"
        => "open `gap`", ends "the row is mended and the violation acknowledged",
        by a_row_changed_behind_its_back_is_found_and_mended;
    "receipt": "time of a stored event changed"
        => "open `receipt`", ends "the row is mended and the violation acknowledged",
        by a_row_changed_behind_its_back_is_found_and_mended;
    "root": "root of a stored commitment overwritten"
        => "open `root` and `chain`", ends "the row is mended and the violation acknowledged",
        by a_row_changed_behind_its_back_is_found_and_mended;
    "chain": "state root of a stored commitment overwritten"
        => "open `chain` and `rewritten`", ends "the row is mended and the violation acknowledged",
        by a_row_changed_behind_its_back_is_found_and_mended;
    "rewritten": "state root of a stored commitment overwritten"
        => "open `chain` and `rewritten`", ends "the row is mended and the violation acknowledged",
        by a_row_changed_behind_its_back_is_found_and_mended;
    "duplicate": "server that shows an event again under the next number"
        => "open `duplicate`, and `gap` for what it hides",
        ends "not ended in the test", by an_event_that_comes_twice_is_a_violation;
    "rollback": "old backup restored under a running witness"
        => "open `rollback` with the old head and the new one",
        ends "acknowledged: the restored log is the new baseline",
        by a_running_witness_sees_a_restored_backup;
    "rollback": "old backup restored while the witness was stopped"
        => "open `rollback`", ends "not ended in the test",
        by a_restarted_witness_sees_a_restored_backup;
    "rewritten": "store replaced by another good log of the same stream"
        => "open `rewritten`", ends "not ended in the test",
        by a_forked_log_is_a_rewritten_past;
    "payload_hash": "payload changed and left so"
        => "open `payload_hash`, quiet once acknowledged, open again when it changes again",
        ends "acknowledged", by an_acknowledged_violation_that_stays_is_quiet_until_it_changes;
};

const INTRODUCTION: &str = "\
# What the sidecar shows, and what it was shown under

Written by `make generate` from the tests that it names (`sidecar/tests/support/truth.rs`). Each
test starts a real sequencer and a real sidecar, sees the check good, injects the fault, waits for
what is shown, ends the fault and sees it good again. Those marked \"root\" run in `make faults`,
and in `make ci` where that is root.

With the default timers (every 10 s, given up after 2 s, bad after two looks) what is dead, frozen
or back is shown within 25 s. What cannot be seen is `unknown`, never good: `store` and `clock`
while nobody answers, `file_descriptors` and `memory` where neither the process nor its metrics can
be read. Not injected: memory pressure (PSI), because it would starve the machine; its limit is held
by a unit test.
";

/// What `docs/health.md` says.
pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (title, rows) in [("Checks", CHECKS), ("Violations", VIOLATIONS)] {
        let columns = "| name | fault | what is shown | ends by | test |\n|---|---|---|---|---|";
        writeln!(page, "\n## {title}\n{columns}").unwrap();
        for Row { what, fault, shows, ends, test, root } in rows {
            let root = if *root { " (root)" } else { "" };
            writeln!(page, "| `{what}` | {fault} | {shows} | {ends} | `{test}`{root} |").unwrap();
        }
    }
    page
}
