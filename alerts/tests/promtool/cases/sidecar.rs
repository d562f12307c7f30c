//! What only the sidecar sees.

use super::{Case, GAUGE, RATE, SIDECAR};

pub(super) const CASES: &[Case] = &[
    Case {
        alert: "SequencerDiskFilling",
        severity: "info",
        labels: SIDECAR,
        value: "88%",
        fault: &[("stateset_sidecar_disk_used_ratio{C}", ["0.85xN", "0.86xN", "0.88xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDiskAlmostFull",
        minutes: 2,
        labels: SIDECAR,
        value: "93%",
        fault: &[("stateset_sidecar_disk_used_ratio{C}", ["0.9xN", "0.91xN", "0.93xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDiskFull",
        severity: "critical",
        minutes: 1,
        labels: SIDECAR,
        value: "99%",
        fault: &[("stateset_sidecar_disk_used_ratio{C}", ["0.95xN", "0.96xN", "0.99xN"])],
        ..GAUGE
    },
    Case {
        alert: "SequencerDiskFullSoon",
        minutes: 30,
        late_minutes: 90,
        labels: SIDECAR,
        value: "-1.082GiB",
        fault: &[
            ("stateset_sidecar_disk_used_ratio{C}", ["0.8xN", "0.8xN", "0.8xN"]),
            (
                "stateset_sidecar_disk_available_bytes{C}",
                ["1000000000-830000xN", "1000000000-834000xN", "1000000000-2000000xN"],
            ),
        ],
        ..RATE
    },
    Case {
        alert: "SequencerDataDirectoryNotWritable",
        severity: "critical",
        minutes: 1,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("check", "data_directory")],
        fault: &[(
            r#"stateset_sidecar_check_status{C,check="data_directory"}"#,
            ["1xN", "0xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerWalGrowing",
        minutes: 10,
        late_minutes: 25,
        labels: SIDECAR,
        value: "381.5MiB",
        fault: &[(
            "stateset_sidecar_store_sqlite_wal_bytes{C}",
            ["268435456xN", "270000000xN", "400000000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerPostgresConnectionsHigh",
        labels: SIDECAR,
        value: "95%",
        fault: &[(
            r#"stateset_sidecar_store_postgres_connections{C,state="idle"}"#,
            ["75xN", "76xN", "90xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerPostgresLongTransaction",
        minutes: 1,
        labels: SIDECAR,
        value: "16m 40s",
        fault: &[(
            "stateset_sidecar_store_postgres_longest_transaction_seconds{C}",
            ["300xN", "301xN", "1000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerPostgresReplicationLagging",
        labels: SIDECAR,
        value: "1m 40s",
        fault: &[(
            "stateset_sidecar_store_postgres_replication_lag_seconds{C}",
            ["30xN", "31xN", "100xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SidecarDown",
        minutes: 2,
        labels: &[],
        fault: &[("up{C}", ["1xN", "0xN", "0xN"])],
        ..GAUGE
    },
    Case {
        alert: "SidecarMetricsAbsent",
        minutes: 2,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0")],
        fault: &[(
            r#"stateset_sidecar_check_status{C,check="data_directory"}"#,
            ["1xN", "_xN", "_xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SidecarChecksStale",
        minutes: 2,
        seen_after: 75,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("check", "disk")],
        value: "3m 15s",
        fault: &[(
            r#"stateset_sidecar_check_last_run_timestamp_seconds{C,check="disk"}"#,
            ["-60+15xN", "-61+15xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerTlsCertificateExpiring",
        labels: SIDECAR,
        value: "11d 13h 41m 40s",
        // Two weeks are 1,209,600 s, at 12 minutes 720 s more.
        fault: &[(
            "stateset_sidecar_tls_certificate_expiry_timestamp_seconds{C}",
            ["1210320xN", "1209000xN", "1000000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerTlsCertificateEnding",
        severity: "critical",
        labels: SIDECAR,
        value: "1d 3h 41m 40s",
        fault: &[(
            "stateset_sidecar_tls_certificate_expiry_timestamp_seconds{C}",
            ["173520xN", "172800xN", "100000xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "SequencerClockSkew",
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("source", "sequencer")],
        value: "5s",
        fault: &[(
            r#"stateset_sidecar_clock_skew_seconds{C,source="sequencer"}"#,
            ["-1xN", "-1.03xN", "-5xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "CanaryFailing",
        severity: "critical",
        minutes: 2,
        labels: SIDECAR,
        fault: &[("stateset_sidecar_canary_success{C}", ["1xN", "0xN", "0xN"])],
        ..GAUGE
    },
    Case {
        alert: "CanaryStale",
        severity: "critical",
        minutes: 2,
        seen_after: 195,
        labels: SIDECAR,
        value: "5m 15s",
        fault: &[(
            "stateset_sidecar_canary_last_success_timestamp_seconds{C}",
            ["-180+15xN", "-181+15xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "WitnessViolation",
        severity: "critical",
        minutes: 0,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("kind", "root")],
        value: "2",
        fault: &[(
            r#"stateset_sidecar_witness_open_violations{C,kind="root"}"#,
            ["0xN", "0.4xN", "2xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "WitnessHeadRolledBack",
        severity: "critical",
        minutes: 0,
        labels: &[("job", "stateset-sidecar"), ("instance", "seq-0"), ("kind", "rollback")],
        value: "1",
        fault: &[(
            r#"stateset_sidecar_witness_open_violations{C,kind="rollback"}"#,
            ["0xN", "0.4xN", "1xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "WitnessStale",
        severity: "critical",
        minutes: 2,
        seen_after: 135,
        labels: SIDECAR,
        value: "4m 15s",
        fault: &[(
            "stateset_sidecar_witness_last_poll_timestamp_seconds{C}",
            ["-120+15xN", "-121+15xN", "0xN"],
        )],
        ..GAUGE
    },
    Case {
        alert: "WitnessLagging",
        labels: SIDECAR,
        value: "16m 40s",
        fault: &[(
            "stateset_sidecar_witness_oldest_unverified_age_seconds{C}",
            ["300xN", "301xN", "1000xN"],
        )],
        ..GAUGE
    },
];
