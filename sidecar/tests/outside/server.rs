//! A PostgreSQL for looks: passwords, a role that has pg_monitor only, and pg_stat_statements.

use std::sync::OnceLock;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::postgres::Postgres;

/// Everybody but the watchers is trusted.
const HBA: &str = "host all watcher,stranger 127.0.0.1/32 scram-sha-256\n\
                   host all all 127.0.0.1/32 trust\n\
                   host replication all 127.0.0.1/32 trust\n";
pub(crate) const PASSWORD: &str = "a-watchers-pass-word";

/// The one server of this process.
pub(crate) fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(own)
}

/// A server of the caller's own.
pub(crate) fn own() -> Postgres {
    Postgres::start_with(&[("hba.conf", HBA.to_owned())], |folder| {
        vec![
            format!("hba_file={}", folder.join("hba.conf").display()),
            "shared_preload_libraries=pg_stat_statements".to_owned(),
            // What a standby that starts needs at once.
            "wal_level=replica".to_owned(),
        ]
    })
}

/// The administrator of a database.
pub(crate) async fn administrator(url: &str) -> PgConnection {
    PgConnection::connect(url).await.unwrap()
}

/// Runs statements.
pub(crate) async fn run(connection: &mut PgConnection, sql: &str) {
    connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
}

/// Makes a login with these rights, if it is not there, and gives the URL of a database with it.
pub(crate) async fn role(url: &str, name: &str, rights: &str) -> String {
    let mut administrator = administrator(url).await;
    let make = format!(
        "DO $$ BEGIN CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}';
            EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
         {rights}"
    );
    run(&mut administrator, &make).await;
    as_role(url, name, PASSWORD)
}

/// The URL with another user.
pub(crate) fn as_role(url: &str, name: &str, password: &str) -> String {
    url.replace("postgres@", &format!("{name}:{password}@"))
}
