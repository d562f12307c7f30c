//! Headless Chromium, driven by its own driver over the WebDriver protocol, which is a handful of
//! JSON requests; both end with the test.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest wait for the driver, and for its goodbye.
const LIMIT: Duration = Duration::from_secs(30);
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const ARGUMENTS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
    "--lang=en-GB",
    "--hide-scrollbars",
];

/// How a page is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) dark: bool,
}

pub(crate) const DESK: Look = Look { width: 1280, dark: false };
pub(crate) const PHONE: Look = Look { width: 390, dark: false };

/// A browser of its own, with an empty profile.
pub(crate) struct Browser {
    chromedriver: Child,
    port: u16,
    session: String,
    http: reqwest::Client,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut chromedriver = Command::new(on_path(&["chromedriver"]))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = port_of(&mut chromedriver);
        let profile = tempfile::tempdir().unwrap();
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "binary": on_path(&BROWSERS), "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }}});
        let http = reqwest::Client::builder().timeout(LIMIT).build().unwrap();
        let session = String::new();
        let mut browser = Self { chromedriver, port, session, http, _profile: profile };
        let made = browser.post("session", &wanted).await;
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        // Away from its own start page, and forget what that asked for.
        browser.open("about:blank").await;
        browser.requests().await;
        browser
    }

    pub(crate) async fn open(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    /// Presses the tabulator, as somebody without a mouse does.
    pub(crate) async fn press_tab(&self) {
        let press = |kind| json!({ "type": kind, "value": "\u{e004}" });
        let keys = json!([press("keyDown"), press("keyUp")]);
        let keyboard = json!([{ "type": "key", "id": "keyboard", "actions": keys }]);
        self.command("actions", json!({ "actions": keyboard })).await;
    }

    /// Sets width and colour scheme; a height of 0 would be the window's.
    pub(crate) async fn look(&self, Look { width, dark }: Look) {
        let metrics = json!({
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        self.devtools("Emulation.setEmulatedMedia", media).await;
    }

    /// What a script returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// The text of an element.
    pub(crate) async fn text(&self, id: &str) -> String {
        let text = self.run(&format!("return document.getElementById('{id}').textContent")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true in the page.
    pub(crate) async fn wait_until(&self, expression: &str, limit: Duration) {
        let started = Instant::now();
        while self.run(&format!("return !!({expression})")).await != json!(true) {
            if started.elapsed() > limit {
                let page = self.run("return document.body.innerText").await;
                panic!("not within {limit:?}: {expression}\n{}", page.as_str().unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The whole page as a picture, kept in target/ for people.
    pub(crate) async fn picture(&self, name: &str) {
        let whole = json!({ "captureBeyondViewport": true, "format": "png" });
        let shot = self.devtools("Page.captureScreenshot", whole).await;
        let bytes = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let folder = pictures();
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), bytes).unwrap();
    }

    /// What the browser complained of since the last time.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        let bad = entries
            .iter()
            .filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        bad.map(|entry| entry["message"].to_string()).collect()
    }

    /// Addresses that were asked for since the last time.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let request = |entry: &Value| {
            let entry: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &entry["message"];
            let sent = message["method"] == "Network.requestWillBeSent";
            sent.then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        };
        entries.iter().filter_map(request).collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.command("se/log", json!({ "type": kind })).await;
        entries.as_array().unwrap_or_else(|| panic!("no log: {entries}")).clone()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        self.post(&format!("session/{}/{path}", self.session), &body).await
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://127.0.0.1:{}/{path}", self.port);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {answer}");
        answer["value"].clone()
    }
}

impl Drop for Browser {
    /// Also when a test fails: the driver ends its browser, then it is ended itself.
    fn drop(&mut self) {
        let goodbye = format!(
            "DELETE /session/{} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nconnection: close\r\n\r\n",
            self.session, self.port
        );
        if let Ok(mut socket) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = socket.set_read_timeout(Some(LIMIT));
            let _ = socket.write_all(goodbye.as_bytes());
            let _ = socket.read(&mut [0; 1024]);
        }
        let _ = self.chromedriver.kill();
        let _ = self.chromedriver.wait();
    }
}

/// Where pictures are put: beside what was built.
fn pictures() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(std::env::temp_dir, Path::to_owned).join("status-page")
}

/// The first of these programs that is installed.
fn on_path(names: &[&str]) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let found = names.iter().find_map(|name| {
        folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file())
    });
    found.unwrap_or_else(|| panic!("{} is missing: run `make tools WHAT=chromium`", names[0]))
}

/// The port that the driver says it took.
fn port_of(chromedriver: &mut Child) -> u16 {
    let mut lines = BufReader::new(chromedriver.stdout.take().unwrap()).lines();
    let said = lines.by_ref().map_while(Result::ok).find_map(|line| {
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    // Read on, or it would block on a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    said.expect("chromedriver says its port")
}
