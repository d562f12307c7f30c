//! Queries that stay at zero, or empty, while a whole fleet is under load and faults, and the test
//! in which a fault of its own moves each.

use std::path::Path;

/// A query that needs a fault which cannot be made beside all others.
pub(crate) struct Still {
    /// Part of its expression.
    pub(crate) expr: &'static str,
    /// The test, somewhere in the workspace, that injects the fault and sees the metric move.
    pub(crate) moved_by: &'static str,
}

const fn still(expr: &'static str, moved_by: &'static str) -> Still {
    Still { expr, moved_by }
}

/// All of them.
pub(crate) const STILL: &[Still] = &[
    still("sidecar_clock_skew_seconds", "a_clock_that_is_set_is_said_until_it_is_right_again"),
    still("sidecar_memory_pressure", "pressure_is_read_as_the_kernel_writes_it"),
    still("sequencer_memory_pressure", "the_kernels_pressure_is_read"),
    still("kind=\"rollback\"", "an_end_that_was_cut_off_is_a_rollback"),
    still("sqlite_freelist_bytes", "the_figures_are_what_sqlite_itself_says"),
];

/// Whether some test of the workspace has this name.
pub(crate) fn is_test(name: &str) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let wanted = format!("fn {name}()");
    ["alerts", "catalog", "dashboards", "loadgen", "sequencer", "sidecar"]
        .iter()
        .any(|folder| holds(&root.join(folder), &wanted))
}

fn holds(folder: &Path, wanted: &str) -> bool {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().any(|path| {
        if path.is_dir() {
            return holds(&path, wanted);
        }
        path.extension().is_some_and(|ending| ending == "rs")
            && std::fs::read_to_string(&path).unwrap().contains(wanted)
    })
}
