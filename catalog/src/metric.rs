//! The shape of a declaration, and how a declaration becomes a registered collector.

use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry,
};

/// Prometheus type of a family.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows; ends in `_total`.
    Counter,
    /// Goes both ways; sampled when scraped.
    Gauge,
    /// Cumulative buckets with these upper bounds, ascending, without `+Inf`.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word in the `# TYPE` line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// Where the values of a label come from. All are bounded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LabelValues {
    /// Exactly these.
    Closed(&'static [&'static str]),
    /// Constants of the program: route templates, methods, status codes, build facts.
    Program,
    /// Up to this many series of the family, the rest as `other`.
    Capped(usize),
}

/// One label of a family.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Label name.
    pub name: &'static str,
    /// What it may hold.
    pub values: LabelValues,
}

/// One metric family.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Full name with prefix and unit.
    pub name: &'static str,
    /// Prometheus type.
    pub kind: Kind,
    /// One sentence: what is counted or measured.
    pub help: &'static str,
    /// Labels in the order in which handles take their values.
    pub labels: &'static [Label],
    /// Which question an operator answers with it.
    pub answers: &'static str,
}

/// Cap on the series of a family labelled by something a client chooses.
pub const SERIES_CAP: usize = 200;

pub(crate) const fn closed(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values: LabelValues::Closed(values) }
}

pub(crate) const fn program(name: &'static str) -> Label {
    Label { name, values: LabelValues::Program }
}

pub(crate) const fn capped(name: &'static str) -> Label {
    Label { name, values: LabelValues::Capped(SERIES_CAP) }
}

/// Declares the metrics of one process: a constant each, and the list of all of them.
macro_rules! declare {
    ($(#[$doc:meta])* $(
        $symbol:ident = $kind:expr, $name:literal, $labels:expr, $help:literal, $answers:literal;
    )+) => {
        $(
            #[doc = $help]
            pub const $symbol: Metric =
                Metric {
                    name: $name,
                    kind: $kind,
                    help: $help,
                    labels: $labels,
                    answers: $answers,
                };
        )+
        $(#[$doc])*
        pub const ALL: &[Metric] = &[$($symbol,)+];
    };
}
pub(crate) use declare;

impl Metric {
    fn label_names(&self) -> Vec<&'static str> {
        self.labels.iter().map(|label| label.name).collect()
    }

    fn opts(&self) -> Opts {
        Opts::new(self.name, self.help)
    }

    fn histogram_opts(&self) -> HistogramOpts {
        let Kind::Histogram(buckets) = self.kind else {
            unreachable!("{} is declared as {}", self.name, self.kind.as_str());
        };
        HistogramOpts::new(self.name, self.help).buckets(buckets.to_vec())
    }
}

/// Declares a constructor that makes a collector from a declaration and registers it.
///
/// The two `expect`s cannot fail at run time without failing at every start: names and buckets
/// are constants, and each constant is registered once.
macro_rules! constructor {
    ($(#[$doc:meta])* $name:ident, $type:ty, |$metric:ident| $make:expr) => {
        $(#[$doc])*
        pub(crate) fn $name(registry: &Registry, $metric: &Metric) -> $type {
            let collector = $make.expect("a declared metric is well formed");
            registry.register(Box::new(collector.clone())).expect("a metric is registered once");
            collector
        }
    };
}

constructor!(counter, IntCounter, |metric| IntCounter::with_opts(metric.opts()));
constructor!(float_counter, Counter, |metric| Counter::with_opts(metric.opts()));
constructor!(counter_vec, IntCounterVec, |metric| {
    IntCounterVec::new(metric.opts(), &metric.label_names())
});
constructor!(gauge, IntGauge, |metric| IntGauge::with_opts(metric.opts()));
constructor!(float_gauge, Gauge, |metric| Gauge::with_opts(metric.opts()));
constructor!(float_gauge_vec, GaugeVec, |metric| {
    GaugeVec::new(metric.opts(), &metric.label_names())
});
constructor!(gauge_vec, IntGaugeVec, |metric| {
    IntGaugeVec::new(metric.opts(), &metric.label_names())
});
constructor!(histogram, Histogram, |metric| Histogram::with_opts(metric.histogram_opts()));
constructor!(histogram_vec, HistogramVec, |metric| {
    HistogramVec::new(metric.histogram_opts(), &metric.label_names())
});

/// Fails where a declaration breaks the naming rules of Prometheus or of the catalogue.
#[cfg(test)]
pub(crate) fn check_conventions(all: &[Metric], prefix: &str) {
    let mut seen = std::collections::BTreeSet::new();
    for metric in all {
        assert!(seen.insert(metric.name), "{} is declared twice", metric.name);
        let is_ours = metric.name.starts_with(prefix) || metric.name.starts_with("process_");
        assert!(is_ours, "{}: prefix", metric.name);
        let counts = metric.kind == Kind::Counter;
        assert_eq!(counts, metric.name.ends_with("_total"), "{}: _total", metric.name);
        assert!(metric.help.ends_with('.'), "{}: help is a sentence", metric.name);
        assert!(metric.answers.ends_with('?'), "{}: answers a question", metric.name);
        if let Kind::Histogram(buckets) = metric.kind {
            assert!(buckets.is_sorted(), "{}: buckets ascend", metric.name);
        }
    }
}
