//! Room on the disk of the data folder, and whether it takes a write.

use catalog::sidecar::{CHECK_STATUS, DISK_AVAILABLE, DISK_USED_RATIO};

use super::{MINUTE, Place, above, below, is};
use crate::promql::series;
use crate::rule::Rule;
use crate::rule::Severity::{Critical, Info, Warning};
use crate::rule::Unit::{Bytes, Ratio};

const PLACE: Place = Place { group: "disk", board: "stateset-sidecar" };

/// What follows from a disk that takes no write.
const NO_WRITE: &[&str] = &[
    "SequencerDiskAlmostFull",
    "SequencerDiskFilling",
    "SequencerDiskFullSoon",
    "SequencerCommitmentLagging",
    "SequencerHighErrorRate",
    "SequencerErrorRatioHigh",
    "CanaryFailing",
    "CanaryStale",
    "SequencerReachabilityBudgetBurn1h",
    "SequencerReachabilityBudgetBurn6h",
    "SequencerAvailabilityBudgetBurn1h",
    "SequencerAvailabilityBudgetBurn6h",
    "SequencerErrorBudgetBurn1h",
    "SequencerErrorBudgetBurn6h",
];

pub(super) fn rules() -> Vec<Rule> {
    let used = series(&DISK_USED_RATIO, &[]);
    let available = series(&DISK_AVAILABLE, &[]);
    let writable = series(&CHECK_STATUS, &[("check", "=", "data_directory")]);
    vec![
        PLACE.rule(
            "SequencerDiskFilling",
            Info,
            above(&used, 0.85, Ratio, 5 * MINUTE),
            "The disk of the data folder fills up.",
            "{value} of the disk is used.",
        ),
        PLACE
            .rule(
                "SequencerDiskAlmostFull",
                Warning,
                above(&used, 0.9, Ratio, 2 * MINUTE),
                "The disk of the data folder is almost full.",
                "{value} of the disk is used.",
            )
            .brings(&["SequencerDiskFilling"]),
        PLACE
            .rule(
                "SequencerDiskFull",
                Critical,
                above(&used, 0.95, Ratio, MINUTE),
                "The disk of the data folder is full.",
                "{value} of the disk is used: writes are refused, or soon will be.",
            )
            .brings(NO_WRITE),
        PLACE
            .rule(
                "SequencerDiskFullSoon",
                Warning,
                below(
                    format!("predict_linear({available}[1h], 4 * 3600)"),
                    0.0,
                    Bytes,
                    30 * MINUTE,
                ),
                "The disk of the data folder is full within four hours.",
                "At the speed of the last hour, {value} will be left in four hours.",
            )
            .guarded(format!("and ({used} > 0.7)")),
        PLACE
            .rule(
                "SequencerDataDirectoryNotWritable",
                Critical,
                is(writable, 0.0, MINUTE),
                "The data folder does not take a write.",
                "The sidecar of {{ $labels.instance }} cannot write a small file into the data \
                 folder.",
            )
            .brings(NO_WRITE),
    ]
}
