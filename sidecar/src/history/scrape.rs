//! The few figures of a sequencer's scrape that become curves. Only lines of wanted families are
//! looked at: a scrape has thousands.

use serde::Serialize;

const PREFIX: &str = "stateset_sequencer_";
/// Requests under this are work; the others are probes of health and metrics.
const API_ROUTE: &str = "route=\"/api/";
/// Buckets of a histogram that are read; ours have fewer.
const MAX_BUCKETS: usize = 64;
const MAX_TEXT_CHARACTERS: usize = 100;

/// What runs, as the sequencer says.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Build {
    /// Version.
    pub version: String,
    /// Commit it was built from.
    pub commit: String,
    /// Driver of its store.
    pub store: String,
}

/// One look at the sequencer. A family that it does not have is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scrape {
    pub(super) events: Option<f64>,
    pub(super) requests: Option<f64>,
    pub(super) client_errors: f64,
    pub(super) server_errors: f64,
    /// Upper bound and cumulative count, ascending.
    pub(super) ingest: Vec<(f64, f64)>,
    pub(super) pool_active: Option<f64>,
    pub(super) pool_max: Option<f64>,
    pub(super) queue_depth: Option<f64>,
    pub(super) commitment_lag: Option<f64>,
    pub(super) build: Option<Build>,
}

impl Scrape {
    /// Reads the text format; what is malformed is left out.
    pub(super) fn read(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines() {
            let Some(rest) = line.strip_prefix(PREFIX) else { continue };
            let Some(end) = rest.find(['{', ' ']) else { continue };
            let (family, rest) = rest.split_at(end);
            scrape.take(family, rest);
        }
        scrape
    }

    fn take(&mut self, family: &str, rest: &str) {
        match family {
            "events_ingested_total" => self.events = value(rest),
            "requests_total" => self.take_request(rest),
            "ingest_success_duration_seconds_bucket" => {
                let bound = label(rest, "le=\"").and_then(|bound| bound.parse().ok());
                if let (Some(bound), Some(count), true) =
                    (bound, value(rest), self.ingest.len() < MAX_BUCKETS)
                {
                    self.ingest.push((bound, count));
                }
            }
            "db_pool_active_connections" => self.pool_active = value(rest),
            "db_pool_max_connections" => self.pool_max = value(rest),
            "queue_depth_events" => self.queue_depth = value(rest),
            "commitment_lag_events" => self.commitment_lag = value(rest),
            "build_info" => {
                let text = |name| label(rest, name).map(shown).unwrap_or_default();
                let (version, commit) = (text("version=\""), text("commit=\""));
                self.build = Some(Build { version, commit, store: text("store=\"") });
            }
            _ => {}
        }
    }

    fn take_request(&mut self, rest: &str) {
        let Some(count) = value(rest).filter(|_| rest.contains(API_ROUTE)) else { return };
        *self.requests.get_or_insert(0.0) += count;
        match label(rest, "status=\"").and_then(|status| status.as_bytes().first()) {
            Some(b'4') => self.client_errors += count,
            Some(b'5') => self.server_errors += count,
            _ => {}
        }
    }
}

/// A text of the sequencer's, cut to what anybody reads.
fn shown(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARACTERS).collect()
}

/// The value of a line without its name.
fn value(rest: &str) -> Option<f64> {
    let after_labels = rest.rfind('}').map_or(rest, |at| &rest[at + 1..]);
    let value: f64 = after_labels.split_ascii_whitespace().next()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// The value of a label, given as `name="`. Labels of the families above hold no quotes.
fn label<'a>(rest: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = rest.split_once(name)?;
    after.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_lines_are_read_and_nothing_else() {
        let text = "# HELP stateset_sequencer_events_ingested_total 99\n\
            stateset_sequencer_events_ingested_total 12\n\
            stateset_sequencer_events_ingested_total_of_others 13\n\
            stateset_sequencer_requests_total{method=\"GET\",route=\"/health\",status=\"200\"} 50\n\
            stateset_sequencer_requests_total{method=\"GET\",route=\"/api/a\",status=\"200\"} 5\n\
            stateset_sequencer_requests_total{method=\"GET\",route=\"/api/a\",status=\"404\"} 2\n\
            stateset_sequencer_requests_total{method=\"GET\",route=\"/api/a\",status=\"503\"} 1\n\
            stateset_sequencer_ingest_success_duration_seconds_bucket{le=\"0.1\"} 3\n\
            stateset_sequencer_ingest_success_duration_seconds_bucket{le=\"+Inf\"} 4\n\
            stateset_sequencer_queue_depth_events NaN\n\
            stateset_sequencer_build_info{commit=\"c\",store=\"sqlite\",version=\"1\"} 1\n\
            stateset_sequencer_db_pool_max_connections 8 1700000000000\n\
            stateset_sequencer_db_pool_active_connections\n\
            }{ \"\n";
        assert_eq!(
            Scrape::read(text),
            Scrape {
                events: Some(12.0),
                requests: Some(8.0),
                client_errors: 2.0,
                server_errors: 1.0,
                ingest: vec![(0.1, 3.0), (f64::INFINITY, 4.0)],
                pool_max: Some(8.0),
                build: Some(Build {
                    version: "1".to_owned(),
                    commit: "c".to_owned(),
                    store: "sqlite".to_owned()
                }),
                ..Scrape::default()
            }
        );
        assert_eq!(Scrape::read("<html>"), Scrape::default());
    }
}
