//! A Prometheus over its HTTP API. It is only asked, never told anything.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::Args;
use serde_json::Value;

/// Longest wait for an answer; Prometheus itself gives a query up after two minutes.
const LIMIT: Duration = Duration::from_secs(60);

/// Which Prometheus a command asks.
#[derive(Args, Clone)]
pub struct PrometheusArgs {
    /// Base URL of the Prometheus.
    #[arg(long, value_name = "URL")]
    prometheus: String,
    /// Sent as `Authorization: Bearer`, where Prometheus asks for it.
    #[arg(long, value_name = "TOKEN", env = "PROMETHEUS_TOKEN", hide_env_values = true)]
    prometheus_token: Option<String>,
}

impl fmt::Debug for PrometheusArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrometheusArgs").finish_non_exhaustive()
    }
}

impl PrometheusArgs {
    /// The client.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn client(&self) -> anyhow::Result<Prometheus> {
        let url = &self.prometheus;
        let base: Option<reqwest::Url> = url.parse().ok();
        let base = base.filter(|url| matches!(url.scheme(), "http" | "https"));
        let base = base.with_context(|| format!("{url} is not an http or https URL"))?;
        // A second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(LIMIT).build()?;
        Ok(Prometheus { http, base, token: self.prometheus_token.clone() })
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nothing answers there, or something else than Prometheus.
    #[error("{base} does not answer as Prometheus does")]
    NoPrometheus {
        /// Whom we asked.
        base: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// It says no: to this query, or to everybody without a credential.
    #[error("{base}: {status}: {reason}")]
    Refused {
        /// Whom we asked.
        base: String,
        /// HTTP status.
        status: u16,
        /// Its own words.
        reason: String,
    },
}

/// One line of a result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its labels, the name among them.
    pub labels: BTreeMap<String, String>,
    /// Unix seconds and values, oldest first; not every value is finite.
    pub points: Vec<(f64, f64)>,
}

/// A range of time and the distance of the points in it, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Unix time of the first point.
    pub start: u64,
    /// Unix time after which there is none.
    pub end: u64,
    /// Between two points.
    pub step: u64,
}

/// The server and how to reach it.
pub struct Prometheus {
    http: reqwest::Client,
    base: reqwest::Url,
    token: Option<String>,
}

impl Prometheus {
    /// What a query gives now.
    ///
    /// # Errors
    /// When Prometheus does not answer, or refuses the query.
    pub async fn query(&self, query: &str) -> Result<Vec<Series>, AskError> {
        Ok(result(&self.ask("query", &[("query", query)]).await?))
    }

    /// What a query gives over a range of time.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub async fn query_range(&self, query: &str, range: Range) -> Result<Vec<Series>, AskError> {
        let [start, end, step] = [range.start, range.end, range.step].map(|n| n.to_string());
        let wanted = [("query", query), ("start", &start), ("end", &end), ("step", &step)];
        Ok(result(&self.ask("query_range", &wanted).await?))
    }

    /// Its host and port, for people: no path and no credential.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.base.host_str().unwrap_or_default();
        self.base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    async fn ask(&self, path: &str, wanted: &[(&str, &str)]) -> Result<Value, AskError> {
        let mut url = self.base.clone();
        let root = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{root}/api/v1/{path}"));
        // Expressions can be longer than what a proxy takes as an address.
        let mut request = self.http.post(url).form(wanted);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let base = self.shown();
        let no_prometheus = |source| AskError::NoPrometheus { base: base.clone(), source };
        let answer = request.send().await.map_err(no_prometheus)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(no_prometheus)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if body["status"] != "success" {
            let reason = body["error"].as_str().unwrap_or("it gives no reason; is it Prometheus?");
            let (status, reason) = (status.as_u16(), reason.to_owned());
            return Err(AskError::Refused { base, status, reason });
        }
        Ok(body["data"].clone())
    }

    /// Its address without a password.
    fn shown(&self) -> String {
        let mut url = self.base.clone();
        // Only a URL that cannot have one refuses.
        let _ = url.set_password(None);
        url.to_string()
    }
}

fn result(data: &Value) -> Vec<Series> {
    // A scalar has no labels and stands alone.
    if data["resultType"] == "scalar" {
        let points = point(&data["result"]).into_iter().collect();
        return vec![Series { points, ..Series::default() }];
    }
    data["result"].as_array().into_iter().flatten().map(series).collect()
}

fn series(one: &Value) -> Series {
    let labels = one["metric"].as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let labels = labels.map(|(name, value)| (name.clone(), text(value))).collect();
    let many = one["values"].as_array().into_iter().flatten();
    Series { labels, points: many.chain(one.get("value")).filter_map(point).collect() }
}

fn point(pair: &Value) -> Option<(f64, f64)> {
    Some((pair[0].as_f64()?, pair[1].as_str()?.parse().ok()?))
}

/// Unix time, whole seconds.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_a_result_becomes_series() {
        let labels = BTreeMap::from([("job".to_owned(), "a".to_owned())]);
        let vector = json!({
            "resultType": "vector",
            "result": [{ "metric": { "job": "a" }, "value": [1.5, "NaN"] }],
        });
        let vector = result(&vector);
        assert!(vector[0].labels == labels && vector[0].points[0].1.is_nan());
        let matrix = json!({
            "resultType": "matrix",
            "result": [{ "metric": { "job": "a" }, "values": [[1, "2"], [2, "+Inf"]] }],
        });
        let points = vec![(1.0, 2.0), (2.0, f64::INFINITY)];
        assert_eq!(result(&matrix), [Series { labels, points }]);
        let scalar = json!({ "resultType": "scalar", "result": [3, "4"] });
        let points = vec![(3.0, 4.0)];
        assert_eq!(result(&scalar), [Series { points, ..Series::default() }]);
    }
}
