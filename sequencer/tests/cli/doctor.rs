//! `doctor` on what it can see by itself: a good deployment passes, and each mistake is found by
//! its id, with its fix.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use sqlx::{ConnectOptions as _, Connection as _};
use uuid::Uuid;

use crate::postgres::Postgres;
use crate::program::{Ended, Folder};

/// A deployment by its environment.
#[derive(Clone)]
pub(crate) struct Deployment(BTreeMap<&'static str, String>);

impl Deployment {
    /// A good one, with secrets of its own: tests at the same time must not find each other's.
    pub(crate) fn good() -> Self {
        let random = || Uuid::new_v4().simple().to_string();
        Self(BTreeMap::new())
            .with("BOOTSTRAP_ADMIN_API_KEY", &format!("ss_{}", random()))
            .with("BOOTSTRAP_SIDECAR_API_KEY", &format!("ss_{}", random()))
            .with("VES_SEQUENCER_SIGNING_KEY", &(random() + &random()))
            .with("REQUIRE_PROOF_OF_POSSESSION", "true")
            .with("RATE_LIMIT_PER_MINUTE", "6000")
            // What a test runs under may allow no more files.
            .with("MAX_CONNECTIONS", "256")
    }

    /// The same with another value; an empty one is unset.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.insert(name, value.to_owned());
        self.0.retain(|_, value| !value.is_empty());
        self
    }

    pub(crate) fn variables(&self) -> Vec<(&str, String)> {
        self.0.iter().map(|(name, value)| (*name, value.clone())).collect()
    }

    /// Runs the doctor, which never shows a secret.
    fn run(&self, folder: &Folder, arguments: &[&str]) -> Ended {
        let ended = folder.run_with(&self.variables(), &[&["doctor"], arguments].concat());
        let shown = format!("{}{}", ended.stdout, ended.stderr);
        let user =
            self.0.get("DATABASE_URL").and_then(|url| url.split_once("://")?.1.split_once('@'));
        let password = user.and_then(|(user, _)| Some(user.split_once(':')?.1));
        let secrets =
            self.0.iter().filter(|(name, _)| name.contains("_KEY") || name.contains("HEADERS"));
        for secret in secrets.map(|(_, value)| value.as_str()).chain(password) {
            assert!(secret.len() < 6 || !shown.contains(secret), "{shown}");
        }
        ended
    }

    /// Every finding by its id.
    pub(crate) fn findings(&self, folder: &Folder, arguments: &[&str]) -> Findings {
        let ended = self.run(folder, &[&["--format", "json"], arguments].concat());
        let report: Value = serde_json::from_str(&ended.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
        assert_eq!(ended.code, Some(i32::from(report["failed"] != 0)), "{}", ended.stdout);
        Findings(report["findings"].as_array().unwrap().clone())
    }
}

pub(crate) struct Findings(Vec<Value>);

impl Findings {
    fn ids(&self, outcome: &str) -> Vec<&str> {
        let wanted = self.0.iter().filter(|one| one["outcome"] == outcome);
        wanted.map(|one| one["id"].as_str().unwrap()).collect()
    }

    fn one(&self, id: &str) -> &Value {
        self.0.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no {id}"))
    }

    pub(crate) fn outcome(&self, id: &str) -> &str {
        self.one(id)["outcome"].as_str().unwrap()
    }

    /// A check must have ended like that, and its sentences must say this.
    pub(crate) fn say(&self, id: &str, outcome: &str, text: &str) {
        let one = self.one(id);
        assert_eq!(one["outcome"], outcome, "{one}");
        let bad = matches!(outcome, "warn" | "fail");
        assert_eq!(one["fix"].is_string(), bad, "what is bad has a fix: {one}");
        assert!(format!("{}\n{}", one["found"], one["fix"]).contains(text), "`{text}`: {one}");
    }
}

/// A database of its own role, and the URL of that role.
async fn database(server: &Postgres) -> String {
    let as_owner = server.database().await;
    let name = as_owner.rsplit('/').next().unwrap();
    let password = Uuid::new_v4().simple();
    let options: sqlx::postgres::PgConnectOptions = as_owner.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let sql = format!(
        "CREATE ROLE {name} LOGIN NOSUPERUSER PASSWORD '{password}';
         ALTER DATABASE {name} OWNER TO {name}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    format!("postgres://{name}:{password}@127.0.0.1:{}/{name}", server.port())
}

/// The ids as the program declares them.
fn declared() -> BTreeSet<&'static str> {
    let source = include_str!("../../src/commands/doctor/check.rs");
    let table = source.rsplit_once("checks! {").unwrap().1.split_once("\n}").unwrap().0;
    table.split('"').skip(1).step_by(2).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_deployment_over_postgresql_passes() {
    let folder = Folder::new();
    let archives =
        |_: &std::path::Path| vec!["archive_mode=on".into(), "archive_command=true".into()];
    let server = Postgres::start_with(&[], archives);
    let deployment = Deployment::good().with("DATABASE_URL", &database(&server).await);
    let before = deployment.findings(&folder, &[]);
    before.say("store-schema", "warn", "sequencer migrate");
    let refusing = deployment.clone().with("DB_MIGRATE_ON_STARTUP", "false");
    refusing.findings(&folder, &[]).say("store-schema", "fail", "DB_MIGRATE_ON_STARTUP");

    let (program, url) = folder.serve_with(&deployment.variables());
    let findings = deployment.findings(&folder, &["--url", &url]);
    assert_eq!(findings.ids("fail"), [""; 0]);
    assert_eq!(findings.ids("warn"), ["build-origin"], "tests run a debug build");
    let skipped = [
        // The server is asked on loopback, over http, and has no disk of its own.
        "api-certificate",
        "certificate-files",
        "operations-exposed",
        "disk-free",
        "disk-guard",
        // Asked elsewhere in these tests.
        "sidecar-healthy",
        "prometheus-scrapes",
        "prometheus-rules",
        "alertmanager-known",
        "watchdog-firing",
    ];
    assert_eq!(findings.ids("skipped"), skipped);
    let reported: Vec<_> = findings.0.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(reported.iter().copied().collect::<BTreeSet<_>>(), declared());
    assert_eq!(reported.len(), declared().len(), "each check is reported once");

    let text = deployment.run(&folder, &["--url", &url]).succeeded().stdout;
    assert!(text.starts_with("Secrets\n  pass  platform-key "), "{text}");
    assert!(text.ends_with("31 passed, 1 warned, 0 failed, 10 skipped\n"), "{text}");
    let strict = deployment.run(&folder, &["--url", &url, "--strict"]);
    assert_eq!(strict.code, Some(1), "{}", strict.stdout);
    // Another key than the server's is another deployment.
    let other = Deployment::good().with("DATABASE_URL", &deployment.0["DATABASE_URL"]);
    let other = other.findings(&folder, &["--url", &url]);
    other.say("receipt-key-published", "fail", "VES_SEQUENCER_SIGNING_KEY");
    program.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_fit_is_named() {
    let folder = Folder::new();
    let loose = |_: &std::path::Path| vec!["fsync=off".into(), "max_connections=20".into()];
    let server = Postgres::start_with(&[], loose);
    let deployment = Deployment::good().with("DATABASE_URL", &server.url("postgres"));
    let findings = deployment.clone().with("MAX_DB_CONNECTIONS", "100").findings(&folder, &[]);
    findings.say("database-role", "fail", "the role postgres is more than it needs: superuser");
    findings.say("store-durable", "fail", "ALTER SYSTEM SET fsync = on");
    findings.say("store-archive", "warn", "archive_mode");
    findings.say("store-connections", "fail", "lower MAX_DB_CONNECTIONS");
    let findings = deployment.with("MAX_DB_CONNECTIONS", "12").findings(&folder, &[]);
    findings.say("store-connections", "warn", "a second replica does not fit");
    drop(server);

    let at = |url: &str| Deployment::good().with("DATABASE_URL", url);
    let gone = at("postgres://me:s3cretword@127.0.0.1:1/log").findings(&folder, &[]);
    gone.say("store-reachable", "fail", "127.0.0.1:1");
    gone.say("store-durable", "skipped", "store-reachable");
    // An address that is nobody's; who does not connect is not waited for.
    let far = |rest: &str, plain: &str| {
        at(&format!("postgres://me:s3cretword@192.0.2.1/log{rest}"))
            .with("DB_ALLOW_PLAINTEXT", plain)
            .with("DB_ACQUIRE_TIMEOUT_MS", "200")
            .findings(&folder, &[])
    };
    let refused = "must be encrypted: use sslmode=verify-full";
    far("?sslmode=disable", "false").say("database-tls", "fail", refused);
    far("", "true").say("database-tls", "fail", "set DB_ALLOW_PLAINTEXT=false");
    far("?sslmode=require", "false").say("database-tls", "warn", "sslmode=verify-full");
    far("", "false").say("database-tls", "pass", "192.0.2.1 is encrypted");
}

#[test]
fn each_mistake_is_found_by_its_id_with_its_fix() {
    let folder = Folder::new();
    std::fs::set_permissions(folder.path(""), Permissions::from_mode(0o700)).unwrap();
    folder.run(&["migrate"]).succeeded();
    let before = std::fs::read_dir(folder.path("data")).unwrap().count();
    let good = Deployment::good();
    let clean = good.findings(&folder, &[]);
    assert_eq!((clean.ids("fail"), clean.ids("warn")), (vec![], vec!["build-origin"]));
    clean.say("store-schema", "pass", "at version");
    assert_eq!(
        std::fs::read_dir(folder.path("data")).unwrap().count(),
        before,
        "nothing is created"
    );
    let (program, url) = folder.serve_with(&good.variables());
    good.findings(&folder, &["--url", &url]).say("store-schema", "pass", "at version");
    program.stop();
    let twice = good.0["BOOTSTRAP_ADMIN_API_KEY"].clone();
    let weak = format!("ss_{}", "0123".repeat(8));
    for (id, outcome, fix, name, value) in [
        ("platform-key", "fail", "set BOOTSTRAP_ADMIN_API_KEY", "BOOTSTRAP_ADMIN_API_KEY", ""),
        ("platform-key", "fail", "can be guessed", "BOOTSTRAP_ADMIN_API_KEY", &weak),
        ("receipt-key", "fail", "openssl rand -hex 32", "VES_SEQUENCER_SIGNING_KEY", ""),
        ("receipt-key", "fail", "can be guessed", "VES_SEQUENCER_SIGNING_KEY", &"07".repeat(32)),
        ("receipt-key", "fail", "no seed of 32 bytes", "VES_SEQUENCER_SIGNING_KEY", "word of mine"),
        ("sidecar-key", "warn", "set BOOTSTRAP_SIDECAR_API_KEY", "BOOTSTRAP_SIDECAR_API_KEY", ""),
        ("sidecar-key", "fail", "a key of its own", "BOOTSTRAP_SIDECAR_API_KEY", &twice),
        ("operations-address", "warn", "set OPS_HOST", "OPS_HOST", "0.0.0.0"),
        ("operations-address", "fail", "set OPS_HOST", "OPS_HOST", "203.0.113.9"),
        ("cors-origins", "warn", "CORS_ALLOW_ORIGINS", "CORS_ALLOW_ORIGINS", "*"),
        ("proof-of-possession", "warn", "POSSESSION=true", "REQUIRE_PROOF_OF_POSSESSION", "false"),
        ("traces-tls", "warn", "use https", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://203.0.113.9:1"),
        ("disk-guard", "fail", "set MIN_FREE_DISK_BYTES", "MIN_FREE_DISK_BYTES", "0"),
        ("disk-free", "fail", "larger disk", "MIN_FREE_DISK_BYTES", "9000000000000000000"),
        ("store-sealing", "warn", "COMMITTER_MAX_WAIT_SECS", "COMMITTER_MAX_WAIT_SECS", "0"),
        ("rate-limit", "warn", "set RATE_LIMIT_PER_MINUTE", "RATE_LIMIT_PER_MINUTE", "0"),
        ("unknown-credentials", "warn", "at the proxy", "UNKNOWN_CREDENTIALS_PER_MINUTE", "0"),
        ("time-limits", "warn", "set REQUEST_TIMEOUT_SECS", "REQUEST_TIMEOUT_SECS", "3600"),
        ("open-files", "fail", "or lower MAX_CONNECTIONS", "MAX_CONNECTIONS", "4000000000"),
        ("log-level", "warn", "RUST_LOG=info", "RUST_LOG", "info,sequencer=debug"),
        ("log-level", "warn", "RUST_LOG=info", "RUST_LOG", "off"),
        ("log-level", "fail", "RUST_LOG=info", "RUST_LOG", "sequencer=loud"),
    ] {
        good.clone().with(name, value).findings(&folder, &[]).say(id, outcome, fix);
    }
    let shown = good.clone().with("HOST", "0.0.0.0");
    shown.findings(&folder, &[]).say("drain-delay", "pass", "5 s");
    let at_once = shown.with("DRAIN_DELAY_SECS", "0");
    at_once.findings(&folder, &[]).say("drain-delay", "warn", "unset DRAIN_DELAY_SECS");
    let traced = good.with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://203.0.113.9:4318");
    let traced = traced.with("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s3cretword");
    traced.findings(&folder, &[]).say("traces-tls", "fail", "with the credential");
}

#[test]
fn secrets_that_others_see_are_named() {
    let folder = Folder::new();
    let open = |name: &str, mode| {
        std::fs::set_permissions(folder.path(name), Permissions::from_mode(mode)).unwrap();
    };
    let files = |outcome, text| {
        Deployment::good().findings(&folder, &[]).say("secret-files", outcome, text);
    };
    open("", 0o755);
    folder.run(&["migrate"]).succeeded();
    open("data", 0o755);
    open("data/sequencer.db", 0o644);
    files("warn", "data/sequencer.db, which holds all payloads");
    std::fs::write(folder.path("data/signing.key"), "07".repeat(32)).unwrap();
    open("data/signing.key", 0o644);
    std::fs::write(folder.path(".env"), "RUST_LOG=info").unwrap();
    files("fail", ".env, data/signing.key");
    open("data", 0o777);
    files("fail", "chmod 750 data");
    open("data", 0o750);
    files("fail", "read or write .env");
    std::fs::remove_file(folder.path(".env")).unwrap();
    files("pass", "nobody else");

    let good = Deployment::good();
    let secret = &good.0["BOOTSTRAP_ADMIN_API_KEY"];
    let seen = good.findings(&folder, &["--bootstrap-admin-api-key", secret]);
    seen.say("secrets-in-arguments", "fail", "give BOOTSTRAP_ADMIN_API_KEY in the environment");
    // What a development server made is not what production is given.
    let made = folder.start(&["serve", "--database-url", "sqlite://data/other.db"]);
    let key = loop {
        match std::fs::read_to_string(folder.path("data/bootstrap.key")) {
            Ok(key) => break key.trim().to_owned(),
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    let taken = good.with("BOOTSTRAP_ADMIN_API_KEY", &key).findings(&folder, &[]);
    taken.say("platform-key", "fail", "what a development server created in data/bootstrap.key");
    drop(made);
}

#[test]
fn what_no_check_can_be_made_of_ends_with_2() {
    let folder = Folder::new();
    for (arguments, sentence) in [
        (["--port", "8081", "--ops-port", "8081"], "PORT and OPS_PORT are both 8081"),
        (["--database-url", "mysql://db/ves", "--ops-port", "1"], "DATABASE_URL must begin with"),
        (["--url", "sequencer.example.com", "--port", "0"], "is not a URL that begins with"),
        (["--format", "xml", "--port", "0"], "invalid value 'xml'"),
    ] {
        let ended = Deployment::good().run(&folder, &arguments);
        ended.refused(2, sentence);
        assert_eq!(ended.stdout, "");
    }
    assert!(!folder.path("data").exists(), "the doctor creates nothing");
}

#[test]
fn every_check_is_in_the_guide() {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security-hardening.md");
    let guide =
        std::fs::read_to_string(guide).expect("docs/security-hardening.md lists the checks");
    let missing: Vec<_> =
        declared().into_iter().filter(|id| !guide.contains(&format!("`{id}`"))).collect();
    assert!(missing.is_empty(), "docs/security-hardening.md does not name {missing:?}");
}
