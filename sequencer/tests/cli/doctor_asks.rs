//! `doctor` on what it is told over HTTP: servers, certificates and Prometheuses that are not as
//! they should be.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::doctor::Deployment;
use crate::program::Folder;

/// Answers by the beginning of the path until the tests end; what is not named is 404.
fn stub(host: &str, answers: &'static [(&str, u16, &str)]) -> String {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let mut head = BufReader::new(&connection).lines().map_while(Result::ok);
            let path = head.next().unwrap_or_default().replacen("GET ", "", 1);
            // Read to its end: what is closed with something unread is reset.
            for _ in head.take_while(|line| !line.is_empty()) {}
            let known = answers.iter().find(|(prefix, ..)| path.starts_with(prefix));
            let (_, status, body) = known.unwrap_or(&("", 404, "{}"));
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}");
            let _ = write!(&connection, "{head}\r\n\r\n{body}");
        }
    });
    url
}

const OLD: &str = r#"{"service":"stateset-sequencer","version":"0.0.1",
    "timestamp":"2020-01-01T00:00:00.000000Z"}"#;

#[test]
fn a_server_that_is_not_as_it_should_be_is_named() {
    let folder = Folder::new();
    let ask = |url: &str| Deployment::good().findings(&folder, &["--url", url]);
    let bad = ask(&stub(
        "127.0.0.1",
        &[
            ("/health", 200, OLD),
            ("/ready", 503, r#"{"status":"not_ready","reasons":["store: it hangs"]}"#),
            ("/metrics", 200, "stateset_sequencer_up 1\n"),
            ("/api/v1/ves/head", 401, "{}"),
            ("/api/v1/admin", 200, "{}"),
        ],
    ));
    bad.say("server-live", "pass", "answers");
    bad.say("server-ready", "fail", "store: it hangs");
    bad.say("server-version", "warn", "version 0.0.1");
    bad.say("clocks", "fail", "behind this machine's");
    bad.say("operations-exposed", "fail", "never to OPS_PORT");
    bad.say("unauthenticated-refused", "fail", "/api/v1/admin/api-keys answers 200 to nobody");
    bad.say("receipt-key-published", "skipped", "does not say");
    let gone = ask("http://127.0.0.1:1");
    gone.say("server-live", "fail", "--url (SEQUENCER_URL)");
    gone.say("unauthenticated-refused", "skipped", "cannot be asked");
    ask(&stub("127.0.0.1", &[("/health", 200, "{}")])).say(
        "server-live",
        "fail",
        "not as a sequencer",
    );
}

/// An address of this machine that other machines may reach; nothing is sent to find it.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then(|| address.to_string())
}

#[test]
fn an_operations_port_beside_the_api_is_found() {
    let Some(address) = own_address() else {
        println!("this machine has no network: only loopback was seen");
        return;
    };
    let folder = Folder::new();
    let url = stub(&address, &[("/health", 200, OLD), ("/ready", 200, r#"{"status":"ready"}"#)]);
    let operations = stub(&address, &[("/metrics", 200, "stateset_sequencer_up 1\n")]);
    let port = operations.rsplit(':').next().unwrap();
    let shown = Deployment::good().with("OPS_PORT", port).findings(&folder, &["--url", &url]);
    // How bad it is depends on whether the address is one of a private network.
    let outcome = shown.outcome("operations-exposed");
    assert!(matches!(outcome, "warn" | "fail"), "{outcome}");
    shown.say("operations-exposed", outcome, "close OPS_PORT");
    shown.say("api-tls", outcome, "put TLS in front");
    let closed = Deployment::good().with("OPS_PORT", "1").findings(&folder, &["--url", &url]);
    closed.say("operations-exposed", "pass", "does not answer");
}

/// Serves files as whole answers over TLS; ended by its id.
struct TlsServer(Child, u16);

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    let output = command.args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

impl TlsServer {
    fn start(folder: &Path, days: u32) -> Self {
        let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
        openssl(folder, &format!("req -x509 {new_key} -keyout ca.key -out ca.pem -subj /CN=ca"));
        openssl(folder, &format!("req -new {new_key} -keyout tls.key -out csr -subj /CN=it"));
        std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
        let signed =
            format!("-CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile names");
        openssl(folder, &format!("x509 -req -in csr {signed} -out tls.pem"));
        let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{OLD}");
        std::fs::write(folder.join("health"), answer).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let serve =
            format!("s_server -quiet -HTTP -accept 127.0.0.1:{port} -cert tls.pem -key tls.key");
        let mut server = Command::new("openssl");
        server.args(serve.split(' ')).current_dir(folder).stdin(Stdio::null());
        let child = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed().as_secs() < 30, "openssl does not serve");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self(child, port)
    }
}

#[test]
fn a_certificate_that_ends_soon_is_named() {
    let folder = Folder::new();
    for (days, outcome, text) in
        [(300, "pass", "is good for 300 days"), (10, "warn", "renew"), (1, "fail", "hours")]
    {
        let server = TlsServer::start(&folder.path(""), days);
        let url = format!("https://127.0.0.1:{}", server.1);
        let trusting = Deployment::good()
            .with("SSL_CERT_FILE", folder.path("ca.pem").to_str().unwrap())
            .with("TLS_CERTIFICATES", "tls.pem,db.example.com:5432");
        let findings = trusting.findings(&folder, &["--url", &url]);
        findings.say("api-tls", "pass", "is https");
        findings.say("api-certificate", outcome, text);
        findings.say("certificate-files", outcome, text);
        let strange = Deployment::good().findings(&folder, &["--url", &url]);
        strange.say("api-certificate", "fail", "SSL_CERT_FILE");
    }
    let unreadable = Deployment::good().with("TLS_CERTIFICATES", "names");
    unreadable.findings(&folder, &[]).say("certificate-files", "fail", "no certificate in it");
    let lost = Deployment::good().with("TLS_CERTIFICATES", "lost.pem");
    lost.findings(&folder, &[]).say("certificate-files", "fail", "cannot be read");
}

/// The answer of a Prometheus.
fn data(data: &Value) -> &'static str {
    Box::leak(json!({ "status": "success", "data": data }).to_string().into_boxed_str())
}

/// Answers for all that is asked of a Prometheus.
fn prometheus(up: &Value, rules: &Value, alertmanagers: &Value) -> String {
    stub(
        "127.0.0.1",
        Box::leak(Box::new([
            ("/api/v1/query?query=up", 200, data(&json!({ "result": up }))),
            ("/api/v1/rules", 200, data(&json!({ "groups": [{ "rules": rules }] }))),
            ("/api/v1/alertmanagers", 200, data(&json!({ "activeAlertmanagers": alertmanagers }))),
        ])),
    )
}

#[test]
fn monitoring_that_would_tell_nobody_is_named() {
    let folder = Folder::new();
    let ask = |url: &str| Deployment::good().findings(&folder, &["--prometheus-url", url]);
    let none = json!([]);
    let empty = ask(&prometheus(&none, &none, &none));
    empty.say("prometheus-scrapes", "fail", "no target of the job stateset-sequencer");
    empty.say("prometheus-rules", "fail", "no rule SequencerDown");
    empty.say("alertmanager-known", "fail", "under alerting");
    empty.say("watchdog-firing", "fail", "alerts/generated");
    let up = json!([
        { "metric": { "job": "stateset-sequencer", "instance": "a" }, "value": [0, "1"] },
        { "metric": { "job": "stateset-sidecar", "instance": "b" }, "value": [0, "0"] },
    ]);
    let names = ["SequencerDown", "SidecarDown", "WitnessViolation", "Watchdog"];
    let rules = names.map(
        |name| json!({ "name": name, "state": "inactive", "health": "err", "lastError": "no" }),
    );
    let broken = ask(&prometheus(&up, &json!(rules), &json!([{}])));
    broken.say("prometheus-scrapes", "fail", "cannot scrape");
    broken.say("prometheus-rules", "fail", "cannot be evaluated");
    broken.say("alertmanager-known", "pass", "1 Alertmanagers");
    broken.say("watchdog-firing", "fail", "is not firing");
    let gone = ask("http://127.0.0.1:1");
    gone.say("prometheus-scrapes", "fail", "--prometheus-url");
    gone.say("watchdog-firing", "skipped", "prometheus-scrapes");
    ask(&stub("127.0.0.1", &[])).say("prometheus-scrapes", "fail", "as Prometheus does");

    let beside = |url: &str| Deployment::good().findings(&folder, &["--sidecar-url", url]);
    beside(&stub("127.0.0.1", &[])).say("sidecar-healthy", "fail", "is no sidecar");
    let stuck = r#"{"service":"stateset-sidecar","stuck_loops":["witness"]}"#;
    let stuck = Box::leak(Box::new([("/health", 503, stuck)]));
    beside(&stub("127.0.0.1", stuck)).say("sidecar-healthy", "fail", "witness");
    beside("http://127.0.0.1:1").say("sidecar-healthy", "fail", "--sidecar-url");
}
