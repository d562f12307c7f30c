//! What makes each burn-rate alert fire, in literals.

/// Bad and all events of an objective that burns.
pub(crate) struct Case {
    pub(crate) alert: &'static str,
    pub(crate) objective: &'static str,
    /// Seconds of the short window, before which there is no verdict.
    pub(crate) short: u32,
    pub(crate) severity: &'static str,
    /// Share of bad events in ten thousand: not enough, just enough.
    pub(crate) bad: [f64; 2],
    /// Series of the bad events, which come beside the good ones.
    pub(crate) series: Series,
    /// The value of the strong fault, half of all events, as the description shows it.
    pub(crate) value: &'static str,
}

/// Which series an objective counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Series {
    Availability,
    Reachability,
    IngestLatency,
    IngestLatencyFast,
    Errors,
    Freshness,
}

macro_rules! burns {
    ($($objective:literal $series:ident $stem:literal { $(
        $window:literal $short:literal $severity:literal $under:literal $over:literal;
    )+ })+) => {
        /// Each pair of each objective.
        pub(crate) const CASES: &[Case] = &[$($(
            Case {
                alert: concat!("Sequencer", $stem, "BudgetBurn", $window),
                objective: $objective,
                short: $short * 60,
                severity: $severity,
                bad: [$under, $over],
                series: Series::$series,
                value: "80%",
            },
        )+)+];
    };
}

burns! {
    "availability" Availability "Availability" {
        "1h" 5 "critical" 71.0 73.0;
        "6h" 30 "critical" 29.5 30.5;
        "1d" 120 "warning" 14.8 15.2;
        "3d" 360 "warning" 4.9 5.1;
    }
    "reachability" Reachability "Reachability" {
        "1h" 5 "critical" 71.0 73.0;
        "6h" 30 "critical" 29.5 30.5;
        "1d" 120 "warning" 14.8 15.2;
        "3d" 360 "warning" 4.9 5.1;
    }
    "ingest_latency" IngestLatency "IngestLatency" {
        "1h" 5 "critical" 1430.0 1450.0;
        "6h" 30 "critical" 595.0 605.0;
        "1d" 120 "warning" 297.0 303.0;
        "3d" 360 "warning" 99.0 101.0;
    }
    "ingest_latency_fast" IngestLatencyFast "IngestLatencyFast" {
        "1h" 5 "critical" 7150.0 7250.0;
        "6h" 30 "critical" 2950.0 3050.0;
        "1d" 120 "warning" 1480.0 1520.0;
        "3d" 360 "warning" 490.0 510.0;
    }
    "error_rate" Errors "Error" {
        "1h" 5 "critical" 143.0 145.0;
        "6h" 30 "critical" 59.0 61.0;
        "1d" 120 "warning" 29.5 30.5;
        "3d" 360 "warning" 9.9 10.1;
    }
    "freshness" Freshness "Freshness" {
        "1d" 120 "warning" 297.0 303.0;
        "3d" 360 "warning" 99.0 101.0;
    }
}

impl Series {
    /// The series with so many bad among ten thousand events every two and a half minutes, times
    /// a factor of traffic.
    pub(crate) fn with(self, bad: f64, traffic: f64) -> Vec<(&'static str, String)> {
        let each = |events: f64| format!("0+{}xN", events * traffic);
        let (good, bad, all) = (each(10_000.0 - bad), each(bad), each(10_000.0));
        let count = "stateset_sequencer_ingest_success_duration_seconds_count{S}";
        let at = |bound| match bound {
            "0.05" => r#"stateset_sequencer_ingest_success_duration_seconds_bucket{S,le="0.05"}"#,
            _ => r#"stateset_sequencer_ingest_success_duration_seconds_bucket{S,le="0.5"}"#,
        };
        match self {
            Self::Availability => {
                vec![(crate::baseline::INGEST_OK, good), (crate::baseline::INGEST_FAILED, bad)]
            }
            Self::Reachability => vec![
                (r#"stateset_sidecar_canary_attempts_total{C,outcome="success"}"#, good),
                (r#"stateset_sidecar_canary_attempts_total{C,outcome="failure"}"#, bad),
            ],
            Self::IngestLatency => {
                vec![(count, all), (at("0.5"), good.clone()), (at("0.05"), good)]
            }
            Self::IngestLatencyFast => {
                vec![(count, all.clone()), (at("0.5"), all), (at("0.05"), good)]
            }
            Self::Errors => vec![
                (crate::baseline::INGEST_OK, all),
                (r#"stateset_sequencer_errors_total{S,category="internal"}"#, bad),
            ],
            Self::Freshness => vec![
                ("stateset_sequencer_commitment_delay_seconds_count{S}", all),
                (r#"stateset_sequencer_commitment_delay_seconds_bucket{S,le="60.0"}"#, good),
            ],
        }
    }
}
