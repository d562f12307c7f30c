//! The commands over PostgreSQL, and the script that starts a development server on one.

use std::os::unix::fs::PermissionsExt as _;

use sqlx::{ConnectOptions as _, Connection as _};

use crate::beside::{sees_it, sidecar, status_page};
use crate::postgres::{Postgres, spelled};
use crate::program::Folder;
use crate::tampered::{CASES, assert_names};

const KEY: &str = "ss_00000000rootrootrootrootrootrootroot";
const SEED: &str = "0707070707070707070707070707070707070707070707070707070707070707";

fn wait<T>(doing: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(doing)
}

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

#[test]
fn every_change_of_the_database_is_seen_and_named() {
    let folder = Folder::new();
    let server = Postgres::shared();
    let url = wait(server.database());
    let secrets = ["--bootstrap-admin-api-key", KEY, "--ves-sequencer-signing-key", SEED];
    let mut dev = folder.start(&[&["dev", "--database-url", &url], &secrets[..]].concat());
    dev.wait_for("Running until Ctrl-C");
    // Other processes may have it open meanwhile.
    let sound = folder.run(&["verify", "--database-url", &url]).succeeded();
    assert!(sound.stdout.contains("events       5 of 5"), "{}", sound.stdout);
    dev.stop();
    for (sql, kinds) in CASES {
        let changed = wait(server.copy_of(name(&url)));
        wait(async {
            let options: sqlx::postgres::PgConnectOptions = changed.parse().unwrap();
            let mut connection = options.connect().await.unwrap();
            let sql = sqlx::AssertSqlSafe(spelled(sql));
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
        assert_names(&folder.run(&["verify", "--database-url", &changed]), kinds, sql);
        server.remove(name(&changed));
    }
    server.remove(name(&url));
}

#[test]
fn an_empty_database_is_migrated_when_that_is_wanted() {
    let folder = Folder::new();
    let server = Postgres::shared();
    let url = wait(server.database());
    folder.run(&["verify", "--database-url", &url]).refused(1, "run `sequencer migrate` first");
    let off = ["serve", "--database-url", &url, "--db-migrate-on-startup", "false"];
    let off = [&off[..], &["--bootstrap-admin-api-key", KEY]].concat();
    let off = folder.run(&[&off[..], &["--ves-sequencer-signing-key", SEED]].concat());
    assert_eq!(off.code, Some(1));
    let sentence = "run `sequencer migrate` or set DB_MIGRATE_ON_STARTUP=true";
    assert!(off.stderr.contains(sentence), "{}", off.stderr);
    for _ in 0..2 {
        let migrated = folder.run(&["migrate", "--database-url", &url]).succeeded().stdout;
        assert!(migrated.contains("is up to date"), "{migrated}");
    }
    let verified = folder.run(&["verify", "--database-url", &url]).succeeded().stdout;
    assert!(verified.contains("streams      0"), "{verified}");
    server.remove(name(&url));
}

#[test]
fn a_databases_password_is_not_shown() {
    let folder = Folder::new();
    let url = "postgres://me:s3cret@127.0.0.1:1/log?sslmode=verify-full";
    let shown = folder.run(&["config", "--database-url", url]).succeeded().stdout;
    assert!(shown.contains("DATABASE_URL=postgres://me:(redacted)@127.0.0.1:1/log"), "{shown}");
    let refused = folder.run(&["migrate", "--database-url", url]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("127.0.0.1:1"), "{}", refused.stderr);
    folder.run(&["dev", "--database-url", url]).refused(1, "BOOTSTRAP_ADMIN_API_KEY");
    for text in [shown, refused.stdout, refused.stderr] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn a_development_server_starts_its_postgresql_and_ends_it() {
    let folder = Folder::new();
    // PostgreSQL runs as another user where this one is root.
    std::fs::set_permissions(folder.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/dev-postgres.sh");
    let line = format!("exec {script} {} {}", env!("CARGO_BIN_EXE_sequencer"), sidecar());
    let mut ports = Vec::new();
    for round in 1..=2 {
        let mut dev = folder.start_shell(&line);
        let page = status_page(&mut dev);
        let store = dev.wait_for("the store is postgres://");
        assert!(store.contains("sequencer:(redacted)@127.0.0.1:"), "{store}");
        dev.wait_for("Running until Ctrl-C");
        wait(sees_it(&page));
        let again = folder.shell(&line);
        assert_eq!(again.code, Some(1), "{}", again.stdout);
        assert!(again.stderr.contains("runs already (process "), "{}", again.stderr);
        let ended = dev.stop();
        assert_eq!(ended.stdout.matches('\u{2713}').count(), 9, "{}", ended.stdout);
        assert_eq!(ended.stderr, "", "a development server is quiet");
        let left = folder.path("data/postgres/cluster/postmaster.pid");
        assert!(!left.exists(), "PostgreSQL has ended, round {round}");
        let secrets = folder.read("data/dev-postgres.env");
        for line in secrets.lines() {
            assert!(!ended.stdout.contains(line.split_once('=').unwrap().1), "{}", ended.stdout);
        }
        assert_eq!(secrets.lines().count(), 4);
        ports.push((folder.read("data/postgres/port"), secrets));
    }
    assert_eq!(ports[0], ports[1], "port and secrets are kept");
    let mode = std::fs::metadata(folder.path("data/dev-postgres.env")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}
