//! The handles with which the load generator records; each is looked up once, at start.

use prometheus::process_collector::ProcessCollector;
use prometheus::{Histogram, IntCounter, IntGauge, Registry, TextEncoder};

use crate::handles::{ByLabel, GaugeBy};
use crate::label::{LoadError, LoadStage};
use crate::loadgen as decl;
use crate::metric;

/// What one stage of a run counts.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct LoadStageMetrics {
    pub requests_offered: IntCounter,
    pub requests_sent: IntCounter,
    pub requests_answered: IntCounter,
    pub events_acknowledged: IntCounter,
    pub service_duration: Histogram,
    pub response_duration: Histogram,
}

/// All handles of the load generator and the registry that encodes them.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct LoadgenMetrics {
    registry: Registry,
    stage_active: GaugeBy,
    stages: Vec<LoadStageMetrics>,
    pub users: IntGauge,
    pub requests_in_flight: IntGauge,
    pub errors: ByLabel,
    pub lateness: Histogram,
}

impl LoadgenMetrics {
    /// Registers every family; every label set starts at zero.
    #[must_use]
    pub fn new(version: &str, commit: &str) -> Self {
        let r = &Registry::new();
        let info = metric::gauge_vec(r, &decl::BUILD_INFO);
        info.with_label_values(&[version, commit]).set(1);
        r.register(Box::new(ProcessCollector::for_self())).expect("registered once");
        let offered = metric::counter_vec(r, &decl::REQUESTS_OFFERED);
        let sent = metric::counter_vec(r, &decl::REQUESTS_SENT);
        let answered = metric::counter_vec(r, &decl::REQUESTS_ANSWERED);
        let events = metric::counter_vec(r, &decl::EVENTS_ACKNOWLEDGED);
        let service = metric::histogram_vec(r, &decl::SERVICE_DURATION);
        let response = metric::histogram_vec(r, &decl::RESPONSE_DURATION);
        let stage = |stage: &&str| LoadStageMetrics {
            requests_offered: offered.with_label_values(&[stage]),
            requests_sent: sent.with_label_values(&[stage]),
            requests_answered: answered.with_label_values(&[stage]),
            events_acknowledged: events.with_label_values(&[stage]),
            service_duration: service.with_label_values(&[stage]),
            response_duration: response.with_label_values(&[stage]),
        };
        let new = Self {
            stage_active: GaugeBy::new(r, &decl::STAGE_ACTIVE),
            stages: LoadStage::VALUES.iter().map(stage).collect(),
            users: metric::gauge(r, &decl::USERS),
            requests_in_flight: metric::gauge(r, &decl::REQUESTS_IN_FLIGHT),
            errors: ByLabel::new(r, &decl::ERRORS, LoadError::VALUES),
            lateness: metric::histogram(r, &decl::LATENESS),
            registry: r.clone(),
        };
        new.enter(LoadStage::Ramp);
        new
    }

    /// What a stage counts.
    #[must_use]
    pub fn stage(&self, stage: LoadStage) -> &LoadStageMetrics {
        &self.stages[stage as usize]
    }

    /// Says which stage is under way.
    pub fn enter(&self, stage: LoadStage) {
        for one in LoadStage::ALL {
            self.stage_active.set(one.as_str(), if *one == stage { 1.0 } else { 0.0 });
        }
    }

    /// The scrape, in the Prometheus text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}
