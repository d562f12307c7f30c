//! Store: reachable, of this program's schema, durable, with room.

use super::Facts;
use super::check::{Check, Finding};
use crate::config::{Config, Database, redacted};
use crate::opening::postgres_options;
use crate::store::DiskRoom;
use crate::store::postgres::{Inspection, PostgresStore};
use crate::store::sqlite;

/// Less room than this is said before writes are refused.
const LITTLE_ROOM: f64 = 0.15;

/// What was seen of the store; every `Err` says why it was not.
pub(super) enum Look {
    Sqlite { schema: Result<(i64, i64), Unseen>, room: Option<DiskRoom> },
    Postgres(Result<Inspection, String>),
}

/// Why an embedded store was not seen.
pub(super) enum Unseen {
    /// There is none yet.
    New,
    Bad(String),
}

impl Look {
    pub(super) async fn at(config: &Config, database: Database) -> Self {
        match database {
            Database::Sqlite(path) => {
                let schema = match path.is_file() {
                    true => sqlite::schema(&path).await.map_err(|e| Unseen::Bad(format!("{e:#}"))),
                    false => Err(Unseen::New),
                };
                Self::Sqlite { schema, room: sqlite::disk_room(&path) }
            }
            Database::Postgres(url) => {
                let inspection = PostgresStore::inspect(&postgres_options(config, url)).await;
                Self::Postgres(inspection.map_err(|error| format!("{error:#}")))
            }
        }
    }

    /// What a database server says, or why nothing.
    pub(super) fn server(&self) -> Result<&Inspection, &'static str> {
        match self {
            Self::Sqlite { .. } => Err("the store is a file of this machine"),
            Self::Postgres(Err(_)) => Err("the database cannot be asked (store-reachable)"),
            Self::Postgres(Ok(inspection)) => Ok(inspection),
        }
    }
}

pub(super) fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let (config, store) = (facts.config, &facts.store);
    vec![
        reachable(config, store),
        schema(config, store),
        durable(store),
        connections(config, store),
        archive(store),
        sealing(config),
        disk_free(config, store),
        disk_guard(config, store),
    ]
}

fn reachable(config: &Config, store: &Look) -> Finding {
    let check = Check::StoreReachable;
    let name = redacted(&config.database_url);
    match store {
        Look::Sqlite { schema: Ok(_), .. } | Look::Postgres(Ok(_)) => {
            check.pass(format!("{name} can be opened"))
        }
        Look::Sqlite { schema: Err(Unseen::New), .. } => {
            check.skipped(format!("there is no store at {name} yet; a start creates it"))
        }
        Look::Sqlite { schema: Err(Unseen::Bad(why)), .. } => {
            check.fail(format!("{name}: {why}"), "name the store's file in DATABASE_URL")
        }
        Look::Postgres(Err(why)) => {
            check.fail(why, "mend DATABASE_URL, or the way to the database")
        }
    }
}

fn schema(config: &Config, store: &Look) -> Finding {
    let check = Check::StoreSchema;
    let (found, known) = match store {
        Look::Sqlite { schema: Ok(schema), .. } => *schema,
        Look::Postgres(Ok(inspection)) => inspection.schema,
        _ => return check.skipped("the store was not opened (store-reachable)"),
    };
    let versions = format!("the schema is at version {found}, this program's at {known}");
    let fix = "run `sequencer migrate` before the new version starts";
    match found {
        found if found == known => check.pass(versions),
        found if found > known => {
            check.fail(versions, "run this with the program that is deployed")
        }
        _ if config.db_migrate_on_startup => {
            check.warn(format!("{versions}; the next start changes it"), fix)
        }
        _ => check.fail(format!("{versions}; DB_MIGRATE_ON_STARTUP is false"), fix),
    }
}

fn durable(store: &Look) -> Finding {
    let check = Check::StoreDurable;
    if matches!(store, Look::Sqlite { .. }) {
        return check.pass("SQLite syncs every commit (WAL, synchronous=FULL)");
    }
    let settings = match store.server() {
        Ok(server) => &server.settings,
        Err(why) => return check.skipped(why),
    };
    let off = |name: &str| settings.get(name).is_some_and(|value| value == "off");
    let fix = |name: &str| format!("ALTER SYSTEM SET {name} = on, and reload the database");
    if let Some(name) = ["fsync", "full_page_writes"].into_iter().find(|name| off(name)) {
        let found = format!("{name} is off: a crash of the database loses acknowledged events");
        return check.fail(found, fix(name));
    }
    if off("synchronous_commit") {
        let found = "synchronous_commit is off for all but the sequencer's own sessions";
        return check.warn(found, fix("synchronous_commit"));
    }
    if settings.is_empty() {
        return check.skipped("the database does not show its settings");
    }
    check.pass("fsync, full_page_writes and synchronous_commit are on")
}

fn connections(config: &Config, store: &Look) -> Finding {
    let check = Check::StoreConnections;
    let server = match store.server() {
        Ok(server) => server,
        Err(why) => return check.skipped(why),
    };
    let number = |name: &str| server.settings.get(name).and_then(|value| value.parse::<i64>().ok());
    let reserved = ["superuser_reserved_connections", "reserved_connections"].map(number);
    let reserved: i64 = reserved.into_iter().flatten().sum();
    let of_role = server.role.as_ref().map(|role| i64::from(role.connection_limit));
    let room = number("max_connections").map(|most| most - reserved);
    let room = room.into_iter().chain(of_role.filter(|limit| *limit >= 0)).min();
    let Some(room) = room else {
        return check.skipped("the database does not say how many connections it takes");
    };
    let wanted = i64::from(config.max_db_connections);
    let found = format!("MAX_DB_CONNECTIONS is {wanted}, the database has {room} for this role");
    let fix = "lower MAX_DB_CONNECTIONS, or raise max_connections of the database";
    match wanted {
        wanted if wanted > room => check.fail(found, fix),
        wanted if wanted * 2 > room => {
            check.warn(format!("{found}: a second replica does not fit"), fix)
        }
        _ => check.pass(found),
    }
}

fn archive(store: &Look) -> Finding {
    let check = Check::StoreArchive;
    let server = match store.server() {
        Ok(server) => server,
        Err(why) => return check.skipped(why),
    };
    match server.settings.get("archive_mode").map(String::as_str) {
        None => check.skipped("the database does not say whether it archives"),
        Some("off") => check.warn(
            "archive_mode is off: the database cannot be restored to a point in time",
            "set archive_mode and archive_command of the database, or use its provider's backups",
        ),
        Some(mode) => check.pass(format!("archive_mode is {mode}")),
    }
}

fn sealing(config: &Config) -> Finding {
    let check = Check::StoreSealing;
    match config.committer_max_wait_secs {
        0 => check.warn(
            "batches are sealed on demand only, so events may stay without a proof",
            "set COMMITTER_MAX_WAIT_SECS to the age at which events are to be committed",
        ),
        seconds => check.pass(format!("events are in a batch after {seconds} s")),
    }
}

fn disk_free(config: &Config, store: &Look) -> Finding {
    let check = Check::DiskFree;
    let room = match store {
        Look::Sqlite { room: Some(room), .. } => *room,
        Look::Sqlite { .. } => return check.skipped("the store's folder is not there yet"),
        Look::Postgres(_) => return check.skipped("the disk is the database server's"),
    };
    let ratio = room.available_bytes as f64 / room.usable_bytes.max(1) as f64;
    let found = format!("{:.0} % of the store's disk is free", ratio * 100.0);
    let fix = "give the folder of DATABASE_URL a larger disk, or make room";
    if room.available_bytes < room.floor_bytes(config.min_free_disk_bytes) {
        return check.fail(format!("{found}: writes are refused (MIN_FREE_DISK_BYTES)"), fix);
    }
    if ratio < LITTLE_ROOM { check.warn(found, fix) } else { check.pass(found) }
}

fn disk_guard(config: &Config, store: &Look) -> Finding {
    let check = Check::DiskGuard;
    match (store, config.min_free_disk_bytes) {
        (Look::Postgres(_), _) => check.skipped("the disk is the database server's"),
        (_, 0) => check.fail(
            "MIN_FREE_DISK_BYTES is 0: writes go on until the disk is full",
            "set MIN_FREE_DISK_BYTES, as its default is: 268435456",
        ),
        (_, bytes) => check.pass(format!("writes are refused below {bytes} free bytes")),
    }
}
