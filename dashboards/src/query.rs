//! The queries of panels, and what Grafana adds to them.

use alerts::promql::{buckets, series};
use catalog::{Kind, Metric};
use promql_parser::parser::{self, Expr, LabelModifier};

/// What every selector of a board matches.
const MATCHERS: &str = r#"job=~"$job",instance=~"$instance""#;
/// The chosen jobs.
pub const JOB: &str = "$job";
/// The chosen instances.
pub const INSTANCE: &str = "$instance";
/// The window that Grafana fits to the scrape interval and the resolution.
pub const INTERVAL: &str = "$__rate_interval";
/// Names of series that are not ours by their prefix.
const OTHER_SERIES: &[&str] = &["up"];
const PREFIXES: &[&str] = &["stateset_", "process_", "job_instance:"];

/// One line, or family of lines, of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// As Grafana sends it, with its variables.
    pub expr: String,
    /// Name of a line, with `{{label}}` in it.
    pub legend: String,
    /// Why it may have no data in health; without a reason, no data is a fault.
    pub empty_when: Option<&'static str>,
}

impl Query {
    /// A query written without job and instance.
    #[must_use]
    pub fn new(expr: &str, legend: &str) -> Self {
        Self { expr: for_board(expr), legend: legend.to_owned(), empty_when: None }
    }
}

/// An expression as a board asks it: every selector matches the chosen jobs and instances, and
/// every `rate` has Grafana's window. Windows of other functions are what is asked for and stay.
#[must_use]
pub fn for_board(expr: &str) -> String {
    let mut text = String::with_capacity(expr.len() * 2);
    let mut rest = expr;
    let mut in_rate = false;
    while let Some(first) = rest.chars().next() {
        let (token, after) = rest.split_at(token_length(first, rest));
        rest = after;
        if first == '[' && in_rate {
            in_rate = false;
            text.push_str(&format!("[{INTERVAL}]"));
            continue;
        }
        if is_series(token) {
            let (own, after) = rest.split_at(matchers_length(rest));
            rest = after;
            text.push_str(&selector(token, own, rest.starts_with('[')));
            continue;
        }
        text.push_str(token);
        if is_name(first) && rest.starts_with('(') {
            in_rate = matches!(token, "rate" | "irate");
        }
    }
    text
}

/// A series with the choice of the board before its own matchers. A rule may ask whether a counter
/// is there at all; its value alone says nothing on a panel, so its rate stands for it.
fn selector(name: &str, own: &str, has_window: bool) -> String {
    let rest = own.strip_prefix('{').map_or("}".to_owned(), |own| format!(",{own}"));
    let selector = format!("{name}{{{MATCHERS}{rest}");
    if name.ends_with("_total") && !has_window {
        format!("rate({selector}[{INTERVAL}])")
    } else {
        selector
    }
}

/// A string, a window or a name in one piece, everything else as it comes.
fn token_length(first: char, rest: &str) -> usize {
    match first {
        '"' => string_length(rest),
        '[' => rest.find(']').map_or(1, |end| end + 1),
        c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
        c => c.len_utf8(),
    }
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// Up to the brace that ends the matchers; none when there are none.
fn matchers_length(text: &str) -> usize {
    if !text.starts_with('{') {
        return 0;
    }
    let mut place = 1;
    while let Some(first) = text[place..].chars().next() {
        if first == '}' {
            return place + 1;
        }
        place += token_length(first, &text[place..]);
    }
    text.len()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

fn is_series(token: &str) -> bool {
    OTHER_SERIES.contains(&token) || PREFIXES.iter().any(|prefix| token.starts_with(prefix))
}

/// Matchers of a metric's own labels: name, operator, value.
pub type Matchers<'a> = &'a [(&'a str, &'a str, &'a str)];

/// How fast a counter grows, a second.
#[must_use]
pub fn rate(metric: &Metric, matchers: Matchers<'_>) -> String {
    format!("rate({}[{INTERVAL}])", series(metric, matchers))
}

/// By how much a counter grew in a window.
#[must_use]
pub fn increase(metric: &Metric, matchers: Matchers<'_>, window: &str) -> String {
    format!("increase({}[{window}])", series(metric, matchers))
}

/// The sum, by these labels or over everything.
#[must_use]
pub fn sum(by: &str, what: &str) -> String {
    if by.is_empty() { format!("sum({what})") } else { format!("sum by ({by}) ({what})") }
}

/// The ten largest.
#[must_use]
pub fn top(what: &str) -> String {
    format!("topk(10, {what})")
}

/// A quantile of a histogram, by these labels or over everything.
#[must_use]
pub fn quantile(q: f64, by: &str, metric: &Metric, matchers: Matchers<'_>) -> String {
    let buckets = buckets(metric, matchers);
    let by = if by.is_empty() { "le".to_owned() } else { format!("{by}, le") };
    format!("histogram_quantile({q}, sum by ({by}) (rate({buckets}[{INTERVAL}])))")
}

/// The quantiles that people compare.
#[must_use]
pub fn quantiles(metric: &Metric, matchers: Matchers<'_>) -> Vec<(String, &'static str)> {
    [(0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99")]
        .map(|(q, name)| (quantile(q, "", metric, matchers), name))
        .to_vec()
}

/// The average of a histogram.
///
/// # Panics
/// When the metric is not a histogram: boards are constants, so every test would say so.
#[must_use]
pub fn mean(metric: &Metric, matchers: Matchers<'_>) -> String {
    let part = |suffix: &str| {
        let selector = series(metric, matchers).replacen(metric.name, "", 1);
        format!("sum(rate({}{suffix}{selector}[{INTERVAL}]))", metric.name)
    };
    assert!(matches!(metric.kind, Kind::Histogram(_)), "{} is not a histogram", metric.name);
    format!("{} / {}", part("_sum"), part("_count"))
}

/// The buckets of a histogram for a heat map.
#[must_use]
pub fn heat(metric: &Metric, matchers: Matchers<'_>) -> String {
    format!("sum by (le) (increase({}[{INTERVAL}]))", buckets(metric, matchers))
}

/// Whether each instance has a line of its own.
#[must_use]
pub fn is_per_instance(expr: &str) -> bool {
    parser::parse(expr).is_ok_and(|parsed| keeps_instance(&parsed))
}

fn keeps_instance(expr: &Expr) -> bool {
    match expr {
        Expr::VectorSelector(_) | Expr::MatrixSelector(_) => true,
        Expr::Aggregate(aggregate) => match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => labels.labels.iter().any(|l| l == "instance"),
            Some(LabelModifier::Exclude(_)) => true,
            None => false,
        },
        Expr::Binary(binary) => keeps_instance(&binary.lhs) || keeps_instance(&binary.rhs),
        Expr::Unary(unary) => keeps_instance(&unary.expr),
        Expr::Paren(paren) => keeps_instance(&paren.expr),
        Expr::Subquery(subquery) => keeps_instance(&subquery.expr),
        Expr::Call(call) => call.args.args.iter().any(|argument| keeps_instance(argument)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use catalog::sequencer;

    #[test]
    fn every_selector_gets_job_and_instance_and_every_rate_its_window() {
        const M: &str = r#"job=~"$job",instance=~"$instance""#;
        for (text, expect) in [
            ("stateset_a", format!("stateset_a{{{M}}}")),
            (
                "sum(rate(stateset_a[5m]))",
                format!("sum(rate(stateset_a{{{M}}}[$__rate_interval]))"),
            ),
            (
                r#"rate(stateset_a{route="/x{id}[5m]"}[5m]) / up"#,
                format!(
                    r#"rate(stateset_a{{{M},route="/x{{id}}[5m]"}}[$__rate_interval]) / up{{{M}}}"#
                ),
            ),
            ("changes(process_b[15m])", format!("changes(process_b{{{M}}}[15m])")),
            ("increase(stateset_a_total[1m])", format!("increase(stateset_a_total{{{M}}}[1m])")),
            (r#"stateset_a{x="\"up"}"#, format!(r#"stateset_a{{{M},x="\"up"}}"#)),
            (
                "up unless stateset_a_total",
                format!("up{{{M}}} unless rate(stateset_a_total{{{M}}}[$__rate_interval])"),
            ),
            ("vector(1)", "vector(1)".to_owned()),
            (
                "sum_over_time(job_instance:x:rate5m[1h])",
                format!("sum_over_time(job_instance:x:rate5m{{{M}}}[1h])"),
            ),
        ] {
            assert_eq!(for_board(text), expect);
        }
    }

    #[test]
    fn a_mean_keeps_its_matchers() {
        let mean = mean(&sequencer::REQUEST_DURATION, &[("route", "!~", "/ready")]);
        assert_eq!(
            mean,
            "sum(rate(stateset_sequencer_request_duration_seconds_sum{route!~\"/ready\"}\
             [$__rate_interval])) / \
             sum(rate(stateset_sequencer_request_duration_seconds_count{route!~\"/ready\"}\
             [$__rate_interval]))"
        );
    }

    #[test]
    fn instances_are_told_apart_where_the_expression_keeps_them() {
        for (expr, expect) in [
            ("stateset_a", true),
            ("sum(stateset_a)", false),
            ("sum by (job, instance) (stateset_a) / stateset_b", true),
            ("max by (job) (stateset_a)", false),
            ("time() - stateset_a", true),
            ("vector(1)", false),
        ] {
            assert_eq!(is_per_instance(expr), expect, "{expr}");
        }
    }
}
