//! Traces and logs of the real binary.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::otlp::{Manner, Receiver};
use crate::program::Folder;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Asks for the sequencer's identity within a caller's trace; gives the head of the answer.
fn ask(api: &str, flags: &str) -> String {
    let mut socket = TcpStream::connect(api.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!(
        "GET /api/v1/ves/sequencer HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         traceparent: 00-{TRACE}-00f067aa0ba902b7-{flags}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn log_lines_name_the_trace_and_the_span_whether_it_is_recorded_or_not() {
    let receiver = Receiver::start(Manner::Takes);
    let folder = Folder::new();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url()),
        ("OTEL_SERVICE_NAME", "east".to_owned()),
        ("RUST_LOG", "sequencer=debug".to_owned()),
    ];
    let (mut server, api) = folder.serve_with(&variables);
    for flags in ["01", "00"] {
        ask(&api, flags);
        let line: Value = serde_json::from_str(&server.wait_for("\"answered\"")).unwrap();
        assert_eq!(line["trace_id"], TRACE);
        assert_eq!(line["route"], "/api/v1/ves/sequencer");
        let span_id = line["span_id"].as_str().unwrap();
        assert_eq!(span_id.len(), 16);
        if flags == "01" {
            let arrived = receiver.wait(|arrived| !arrived.spans.is_empty());
            assert_eq!(hex(&arrived.spans[0].span_id), span_id);
            assert_eq!(arrived.resource["service.name"], "east");
        }
    }
    let ended = server.stop();
    assert_eq!(receiver.arrived().spans.len(), 1, "the second was not to be recorded");
    let outside = ended.stderr.lines().find(|line| line.contains("\"serving\"")).unwrap();
    assert!(!outside.contains("trace_id"), "{outside}");
}

#[test]
fn without_an_endpoint_nothing_is_traced_whatever_else_is_set() {
    let receiver = Receiver::start(Manner::Takes);
    let folder = Folder::new();
    let variables = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.url()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", String::new()),
        ("OTEL_TRACES_SAMPLER", "always_on".to_owned()),
        ("RUST_LOG", "sequencer=trace".to_owned()),
    ];
    let (mut server, api) = folder.serve_with(&variables);
    let answer = ask(&api, "01");
    assert!(!answer.contains("traceresponse"), "{answer}");
    let line: Value = serde_json::from_str(&server.wait_for("\"answered\"")).unwrap();
    assert_eq!((&line["trace_id"], &line["span_id"]), (&Value::Null, &Value::Null));
    let ended = server.stop();
    assert!(!ended.stderr.contains("trace_id"), "{}", ended.stderr);
    assert_eq!(receiver.arrived().heads.len(), 0);
}

#[test]
fn a_server_whose_receiver_is_gone_says_so_once_and_stops_in_order() {
    let folder = Folder::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}");
    let (mut server, api) = folder.serve_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
    ask(&api, "01");
    let line: Value = serde_json::from_str(&server.wait_for("spans are dropped")).unwrap();
    assert_eq!(line["level"], "WARN");
    assert!(line["cause"].as_str().unwrap().contains("refused"), "{line}");
    ask(&api, "01");
    let ended = server.stop();
    assert_eq!(ended.stderr.matches("spans are dropped").count(), 1, "{}", ended.stderr);
}

#[test]
fn a_receiver_that_cannot_be_used_is_refused_at_start() {
    let folder = Folder::new();
    let endpoint = "--otel-exporter-otlp-endpoint";
    let good = "http://localhost:4318";
    let headers = "--otel-exporter-otlp-headers";
    let cases: [(&[&str], &str); 7] = [
        (&[endpoint, "localhost:4317"], "OTEL_EXPORTER_OTLP_ENDPOINT"),
        (&[endpoint, "http://me:secret@localhost"], "belong into OTEL_EXPORTER_OTLP_HEADERS"),
        (&[endpoint, "http://localhost/?key=secret"], "must end with its path"),
        (&[endpoint, good, headers, "secret"], "OTEL_EXPORTER_OTLP_HEADERS must be"),
        (&[endpoint, good, headers, "a b=secret"], "OTEL_EXPORTER_OTLP_HEADERS must be"),
        (&["--otel-traces-sampler-arg", "1.5"], "OTEL_TRACES_SAMPLER_ARG must be from 0 to 1"),
        (&["--otel-traces-sampler-arg", "NaN"], "OTEL_TRACES_SAMPLER_ARG must be from 0 to 1"),
    ];
    for (arguments, sentence) in cases {
        let ended = folder.run(&[&["serve"], arguments].concat());
        ended.refused(1, sentence);
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
    let shown = folder.run(&["config", endpoint, good, headers, "key=secret"]).succeeded().stdout;
    assert!(shown.contains("OTEL_EXPORTER_OTLP_HEADERS=(redacted)"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}
