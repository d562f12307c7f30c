//! What a drill is played with.

/// Where events are stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Store {
    /// The embedded store.
    Embedded,
    /// The embedded store on a disk of so many MiB, which needs root.
    SmallDisk(u64),
    /// A PostgreSQL of the drill's own.
    Postgres,
    /// The same with a standby.
    PostgresWithStandby,
}

/// What a drill is played with.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Where events are stored.
    pub store: Store,
    /// How many sequencers share it.
    pub sequencers: usize,
    /// Further flags of the sequencers.
    pub sequencer: &'static [&'static str],
    /// Further flags of the sidecar.
    pub sidecar: &'static [&'static str],
    /// Requests a second of the background load.
    pub rate: u32,
    /// How many times faster than real time all rules are.
    pub scale: u32,
    /// The same for burn rates, whose windows are days.
    pub slo_scale: u32,
    /// Seconds between two scrapes, at most a quarter of the smallest window.
    pub scrape_seconds: u32,
    /// Seconds of health before the fault.
    pub health_seconds: u64,
    /// A floor for SequencerLowThroughput, which is off without.
    pub throughput_floor: Option<f64>,
    /// Whether the sequencer's clock can be set.
    pub clock: bool,
    /// Days that the certificate which the sidecar watches is good for.
    pub certificate_days: Option<u32>,
    /// Whether the canary shows another key than the rest of the sidecar.
    pub own_canary_key: bool,
}

impl Setting {
    /// The embedded store, 15 times faster: a scrape a second stands for one every 15 seconds.
    pub const EMBEDDED: Self = Self {
        store: Store::Embedded,
        sequencers: 1,
        sequencer: &[],
        sidecar: &[],
        rate: 20,
        scale: 15,
        slo_scale: 15,
        scrape_seconds: 1,
        health_seconds: 8,
        throughput_floor: None,
        clock: false,
        certificate_days: None,
        own_canary_key: false,
    };
    /// The same over PostgreSQL.
    pub const POSTGRES: Self = Self { store: Store::Postgres, ..Self::EMBEDDED };

    /// Twice as fast, for alerts that wait five minutes and more.
    #[must_use]
    pub const fn fast(self) -> Self {
        Self { scale: 30, ..self }
    }

    /// A scrape asks the store for the backlog and waits two seconds for it, or twice that behind
    /// a probe: while every connection hangs, scrapes must be further apart.
    #[must_use]
    pub const fn patient_scrapes(self) -> Self {
        Self { scrape_seconds: 4, ..self }
    }

    /// With these flags of the sequencer.
    #[must_use]
    pub const fn sequencer(self, flags: &'static [&'static str]) -> Self {
        Self { sequencer: flags, ..self }
    }

    /// With these flags of the sidecar.
    #[must_use]
    pub const fn sidecar(self, flags: &'static [&'static str]) -> Self {
        Self { sidecar: flags, ..self }
    }
}
