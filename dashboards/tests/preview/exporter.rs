//! Every family of the catalogue, as a sequencer and a sidecar would show it to Prometheus.
//!
//! The values are made up: counters grow at changing speeds, so that every rate moves.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use alerts::prometheus::now;
use catalog::{Kind, LabelValues, Metric, sequencer, sidecar};

/// What a client may call an entity; it must stay text.
pub(crate) const HOSTILE: &str = "</script><img src=x onerror=alert(1)>";
/// Families that are absent on a good day with an embedded store.
const ABSENT: &[&str] = &["_postgres_", "last_violation", "audit_completed"];

/// Serves `/sequencer` and `/sidecar` until the test ends; the port.
pub(crate) fn start() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let began = Instant::now();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let socket = socket.unwrap();
            std::thread::spawn(move || answer(socket, began.elapsed().as_secs_f64() + 20.0));
        }
    });
    port
}

fn answer(mut socket: TcpStream, seconds: f64) {
    let mut lines = BufReader::new(socket.try_clone().unwrap()).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    // The whole head, or closing would cut the connection.
    lines.find(String::is_empty);
    let metrics = if request.contains("/sidecar") { sidecar::ALL } else { sequencer::ALL };
    let body = scrape(metrics, seconds);
    let _ = write!(
        socket,
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
}

fn scrape(metrics: &[Metric], seconds: f64) -> String {
    let mut text = String::new();
    for metric in metrics {
        if ABSENT.iter().any(|part| metric.name.contains(part)) {
            continue;
        }
        let _ = writeln!(text, "# TYPE {} {}", metric.name, metric.kind.as_str());
        for (number, labels) in (1_u32..).zip(label_sets(metric)) {
            let share = 1.0 / f64::from(number);
            match metric.kind {
                Kind::Counter => {
                    sample(&mut text, metric.name, &labels, share * counted(seconds));
                }
                Kind::Gauge => {
                    sample(&mut text, metric.name, &labels, gauge(metric.name, &labels, seconds));
                }
                Kind::Histogram(bounds) => histogram(&mut text, metric, &labels, bounds, seconds),
            }
        }
    }
    text
}

fn sample(text: &mut String, name: &str, labels: &str, value: f64) {
    let _ = writeln!(text, "{name}{{{labels}}} {value}");
}

/// Grows for ever, faster and slower.
fn counted(seconds: f64) -> f64 {
    40.0 * (seconds + 2.5 * (seconds / 5.0).sin())
}

/// Each second some came, around a value that goes up and down.
fn histogram(text: &mut String, metric: &Metric, labels: &str, bounds: &[f64], seconds: f64) {
    let places = || (0_u32..).zip(bounds);
    let mut counts = vec![0.0; bounds.len()];
    let mut second = 0.0;
    let mut all = 0.0;
    while second < seconds {
        let middle = f64::from(u32::try_from(bounds.len()).unwrap()) * 0.4 + (second / 6.0).sin();
        for (count, (place, _)) in counts.iter_mut().zip(places()) {
            *count += 40.0 / (1.0 + ((middle - f64::from(place)) / 0.7).exp());
        }
        all += 40.0;
        second += 1.0;
    }
    let comma = if labels.is_empty() { "" } else { "," };
    for (count, bound) in counts.iter().zip(bounds) {
        let labels = format!("{labels}{comma}le=\"{bound}\"");
        sample(text, &format!("{}_bucket", metric.name), &labels, *count);
    }
    let above = format!("{labels}{comma}le=\"+Inf\"");
    sample(text, &format!("{}_bucket", metric.name), &above, all);
    sample(text, &format!("{}_sum", metric.name), labels, all * bounds[bounds.len() / 3]);
    sample(text, &format!("{}_count", metric.name), labels, all);
}

/// By what the name says of the unit.
fn gauge(name: &str, labels: &str, seconds: f64) -> f64 {
    const MIB: f64 = 1024.0 * 1024.0;
    let wave = (seconds / 7.0).sin();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let now = f64::from(u32::try_from(now()).unwrap());
    if has(&["expiry_timestamp"]) {
        now + 40.0 * 86_400.0
    } else if has(&["start_time", "start_timestamp"]) {
        now - 7200.0
    } else if has(&["timestamp"]) {
        now - 3.0 - wave
    } else if has(&["breaker_state"]) {
        f64::from(u8::from(labels.contains("\"closed\"")))
    } else if has(&["check_status"]) {
        if labels.contains("disk") { 0.5 } else { 1.0 }
    } else if has(&["open_violations", "draining", "catching_up", "pressure", "skew"]) {
        0.0
    } else if has(&["build_info", "_ready", "_up", "success", "_ok", "_active"]) && !has(&["pool"])
    {
        1.0
    } else if has(&["_ratio"]) {
        0.6 + 0.1 * wave
    } else if has(&["total_bytes", "limit_bytes"]) {
        4096.0 * MIB
    } else if has(&["_bytes"]) {
        (200.0 + 20.0 * wave) * MIB
    } else if has(&["max", "limit", "capacity"]) {
        1024.0
    } else if has(&["_seconds"]) {
        0.4 + 0.2 * wave
    } else if has(&["head_sequence", "verified_sequence"]) {
        (counted(seconds) * 10.0).round()
    } else {
        (40.0 + 25.0 * wave).round()
    }
}

/// Every combination of the values of the labels.
fn label_sets(metric: &Metric) -> Vec<String> {
    let mut sets = vec![String::new()];
    for label in metric.labels {
        let values = match label.values {
            LabelValues::Closed(values) => values.to_vec(),
            LabelValues::Program | LabelValues::Capped(_) => made_up(label.name),
        };
        let with = |set: &String, value: &str| {
            let comma = if set.is_empty() { "" } else { "," };
            format!("{set}{comma}{}=\"{value}\"", label.name)
        };
        sets = sets.iter().flat_map(|set| values.iter().map(|value| with(set, value))).collect();
    }
    sets
}

fn made_up(label: &str) -> Vec<&'static str> {
    match label {
        "method" => vec!["POST"],
        "route" => vec!["/api/v1/ves/events", "/api/v1/ves/head", "/ready"],
        "status" => vec!["200", "400", "503"],
        "version" => vec!["0.1.0"],
        "commit" => vec!["a1b2c3d"],
        "store" => vec!["orders"],
        "tenant" => vec!["acme", "globex"],
        "entity_type" => vec!["order", "invoice", HOSTILE],
        _ => vec!["one", "two"],
    }
}
