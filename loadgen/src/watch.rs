//! The target's own metrics over the time line of the run, where its operations port is known.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalog::{Metric, sequencer};
use tokio_util::sync::CancellationToken;

use crate::record::{MetricPoint, MetricSeries};

/// Wait between two looks; a scrape costs the target a millisecond or two.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// Points of a series; an hour of looks, and what is longer is thinned out.
const MAX_POINTS: usize = 3600;

/// How a series comes from samples.
enum Figure {
    /// The value.
    Gauge(&'static Metric),
    /// Growth a second.
    Rate(&'static Metric),
    /// Average of what a histogram counted since the last look.
    Mean(&'static Metric),
}

const FIGURES: &[(&str, Figure)] = &[
    ("events_per_second", Figure::Rate(&sequencer::EVENTS_INGESTED)),
    ("requests_per_second", Figure::Rate(&sequencer::REQUESTS)),
    ("errors_per_second", Figure::Rate(&sequencer::ERRORS)),
    ("shed_requests_per_second", Figure::Rate(&sequencer::REQUESTS_SHED)),
    ("queue_depth_events", Figure::Gauge(&sequencer::QUEUE_DEPTH)),
    ("ingest_inside_events", Figure::Gauge(&sequencer::INGEST_INSIDE)),
    ("db_pool_active_connections", Figure::Gauge(&sequencer::DB_POOL_ACTIVE)),
    ("request_mean_seconds", Figure::Mean(&sequencer::REQUEST_DURATION)),
    ("commit_mean_seconds", Figure::Mean(&sequencer::COMMIT_DURATION)),
    ("commit_mean_events", Figure::Mean(&sequencer::COMMIT_SIZE)),
    ("commitment_lag_events", Figure::Gauge(&sequencer::COMMITMENT_LAG)),
    ("cpu_cores", Figure::Rate(&sequencer::PROCESS_CPU)),
    ("resident_memory_bytes", Figure::Gauge(&sequencer::PROCESS_RESIDENT_MEMORY)),
];

/// What was seen.
#[derive(Default)]
pub struct Watched {
    /// Series with at least one point.
    pub series: Vec<MetricSeries>,
    /// Labels of the target's `build_info`.
    pub build: BTreeMap<String, String>,
    /// Why there is nothing, or not all.
    pub note: Option<String>,
}

/// Looks at a `/metrics` until told to stop.
pub async fn watch(url: String, start: Instant, stop: CancellationToken) -> Watched {
    let mut watched = Watched::default();
    let Ok(http) = reqwest::Client::builder().timeout(ANSWER_LIMIT).build() else {
        return watched;
    };
    let url = format!("{}/metrics", url.trim_end_matches('/'));
    let mut series: BTreeMap<usize, Vec<MetricPoint>> = BTreeMap::new();
    let mut before: Option<(Instant, BTreeMap<String, f64>)> = None;
    while !stop.is_cancelled() {
        match scrape(&http, &url).await {
            Ok(text) => {
                let now = (Instant::now(), sums(&text));
                if watched.build.is_empty() {
                    watched.build = labels_of(&text, sequencer::BUILD_INFO.name);
                }
                for (place, (_, figure)) in FIGURES.iter().enumerate() {
                    let Some(value) = figure.value(&now, before.as_ref()) else { continue };
                    let t = now.0.saturating_duration_since(start).as_secs_f64();
                    let points = series.entry(place).or_default();
                    points.push(MetricPoint { t: (t * 1000.0).round() / 1000.0, value });
                    if points.len() > MAX_POINTS {
                        let mut keep = false;
                        points.retain(|_| {
                            keep = !keep;
                            keep
                        });
                    }
                }
                before = Some(now);
            }
            Err(error) => {
                watched.note.get_or_insert_with(|| {
                    format!("The target's own metrics were not always there: {error}.")
                });
            }
        }
        let _ = stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
    }
    watched.series = series
        .into_iter()
        .map(|(place, points)| MetricSeries {
            name: FIGURES[place].0.to_owned(),
            label: String::new(),
            points,
        })
        .collect();
    watched
}

async fn scrape(http: &reqwest::Client, url: &str) -> Result<String, String> {
    let answer = http.get(url).send().await.map_err(|_| "nobody answers".to_owned())?;
    let answer = answer.error_for_status().map_err(|_| "no scrape".to_owned())?;
    answer.text().await.map_err(|_| "half an answer".to_owned())
}

type Look = (Instant, BTreeMap<String, f64>);

impl Figure {
    fn value(&self, now: &Look, before: Option<&Look>) -> Option<f64> {
        let growth = |name: &str| {
            let (then, samples) = before?;
            let grown = now.1.get(name)? - samples.get(name)?;
            let seconds = now.0.saturating_duration_since(*then).as_secs_f64();
            // A counter that fell was started again.
            (grown >= 0.0 && seconds > 0.0).then_some((grown, seconds))
        };
        match self {
            Self::Gauge(metric) => now.1.get(metric.name).copied(),
            Self::Rate(metric) => growth(metric.name).map(|(grown, seconds)| grown / seconds),
            Self::Mean(metric) => {
                let (count, _) = growth(&format!("{}_count", metric.name))?;
                let (sum, _) = growth(&format!("{}_sum", metric.name))?;
                (count > 0.0).then_some(sum / count)
            }
        }
    }
}

/// Sum over all series of each name of a scrape, buckets left out.
fn sums(scrape: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in scrape.lines().filter(|line| !line.starts_with('#')) {
        let Some((series, value)) = line.rsplit_once(' ') else { continue };
        let name = series.split('{').next().unwrap_or(series);
        if let (false, Ok(value)) = (name.ends_with("_bucket"), value.parse::<f64>()) {
            *sums.entry(name.to_owned()).or_insert(0.0) += value;
        }
    }
    sums
}

/// Labels of the first series of a name.
fn labels_of(scrape: &str, name: &str) -> BTreeMap<String, String> {
    let rest = |line: &'_ str| line.strip_prefix(name)?.strip_prefix('{').map(str::to_owned);
    let line = scrape.lines().find_map(rest).unwrap_or_default();
    let labels = line.split('}').next().unwrap_or_default();
    let pair = |label: &str| {
        let (name, value) = label.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    };
    labels.split(',').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_from_two_looks() {
        let name = sequencer::EVENTS_INGESTED.name;
        let commit = sequencer::COMMIT_DURATION.name;
        let scrape = |events: u32, sum: f64, count: u32| {
            format!(
                "# HELP x y\n{name}{{a=\"1\"}} {events}\n{name}{{a=\"2\"}} 5\n\
                 {commit}_bucket{{le=\"1\"}} 7\n{commit}_sum {sum}\n{commit}_count {count}\n"
            )
        };
        let start = Instant::now();
        let before = (start, sums(&scrape(10, 1.0, 100)));
        let now = (start + Duration::from_secs(2), sums(&scrape(110, 1.5, 200)));
        let rate = Figure::Rate(&sequencer::EVENTS_INGESTED);
        assert_eq!(rate.value(&now, Some(&before)), Some(50.0));
        assert_eq!(rate.value(&now, None), None);
        assert_eq!(rate.value(&before, Some(&now)), None, "started again");
        assert_eq!(
            Figure::Mean(&sequencer::COMMIT_DURATION).value(&now, Some(&before)),
            Some(0.005)
        );
        assert_eq!(Figure::Gauge(&sequencer::QUEUE_DEPTH).value(&now, None), None);
        let labels = labels_of("b_info{version=\"1\",commit=\"c\"} 1\n", "b_info");
        assert_eq!(labels.get("commit").map(String::as_str), Some("c"));
    }
}
