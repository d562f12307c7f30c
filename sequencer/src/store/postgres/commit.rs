//! The group commit: one short transaction for everything that queued while the last one ran.
//!
//! New events on streams whose heads are remembered are one statement: it writes only if the heads
//! are still what they were, and in the same epoch of keys, under their locks, so nothing that was
//! decided on the memory of this process is written against what a replica did meanwhile. Where
//! the heads moved, or anything but acceptance comes out, the long way decides: lock the heads,
//! read what the store has about the events, write, commit.

use std::sync::LazyLock;

use catalog::label::DbOperation;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use ves::{Stream, Timestamp};

use super::super::group::{Group, Groups, all_accepted, decide_all, group, recall, remember};
use super::super::known::Known;
use super::super::{BatchOutcome, PreparedBatch, StoreError};
use super::facts::{FIND_KEYS, LOCK_KEYS, load_entities, load_events, load_keys, lock_heads};
use super::rows::{HeadRows, PlacedRow, bind_events};
use super::writer::State;
use super::{ATTEMPTS, PostgresStore, is_retryable, store_error};

/// Events a statement writes. More, and the kernel holds the end of a long message back until the
/// server has acknowledged its beginning: sqlx 0.9 does not turn TCP_NODELAY on.
const ROWS_PER_STATEMENT: usize = 256;

/// In the order in which [`bind_events`] binds them.
const EVENT_COLUMNS: &str = "tenant_id, store_id, sequence_number, sequenced_at, entity_version, \
    base_version, key_version, agent_key_id, payload_kind, signature_scheme, event_id, \
    source_agent_id, command_id, payload_plain_hash, payload_cipher_hash, signing_hash, \
    agent_signature, entity_type, entity_id, event_type, created_at, payload";
const EVENT_TYPES: [&str; 22] = [
    "uuid", "uuid", "int8", "int8", "int8", "int8", "int4", "int4", "int4", "int8", "uuid", "uuid",
    "uuid", "bytea", "bytea", "bytea", "bytea", "text", "text", "text", "text", "text",
];

/// Inserts events whose arrays are the parameters from `first` on, where `condition` holds.
fn insert_events(first: usize, from: &str, condition: &str) -> String {
    let arrays: Vec<String> =
        (first..).zip(EVENT_TYPES).map(|(n, kind)| format!("${n}::{kind}[]")).collect();
    let arrays = arrays.join(", ");
    format!(
        "INSERT INTO events ({EVENT_COLUMNS})
         SELECT e.* FROM unnest({arrays}) AS e ({EVENT_COLUMNS}){from} {condition}"
    )
}

/// Everything at once, or nothing: heads as [`HeadRows`], events.
static WRITE_IF_UNCHANGED: LazyLock<String> = LazyLock::new(|| {
    let insert = insert_events(7, ", still", "WHERE still.ok");
    format!(
        "WITH heads AS (
            SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[],
                $6::int8[]) AS h (tenant_id, store_id, old_head, new_head, updated_at, key_epoch)
        ), locked AS MATERIALIZED (
            SELECT s.tenant_id FROM streams s JOIN heads h
                ON s.tenant_id = h.tenant_id AND s.store_id = h.store_id
            WHERE s.head_sequence = h.old_head AND s.key_epoch = h.key_epoch
            ORDER BY s.tenant_id, s.store_id FOR UPDATE OF s
        ), still AS MATERIALIZED (
            SELECT (SELECT count(*) FROM locked) = cardinality($1::uuid[]) AS ok
        ), moved AS (
            UPDATE streams s SET head_sequence = h.new_head, updated_at = h.updated_at
            FROM heads h, still WHERE still.ok
                AND s.tenant_id = h.tenant_id AND s.store_id = h.store_id
        ) {insert}"
    )
});

static WRITE_EVENTS: LazyLock<String> = LazyLock::new(|| insert_events(1, "", ""));

/// Streams that are to have their first event. Fewer rows than asked: a replica was first.
const WRITE_STREAMS: &str = "
    INSERT INTO streams (tenant_id, store_id, head_sequence, updated_at)
    SELECT h.tenant_id, h.store_id, h.old_head, h.updated_at
    FROM unnest($1::uuid[], $2::uuid[], $3::int8[], $4::int8[], $5::int8[], $6::int8[])
        AS h (tenant_id, store_id, old_head, new_head, updated_at, key_epoch)
    WHERE h.old_head = 0 ORDER BY h.tenant_id, h.store_id
    ON CONFLICT (tenant_id, store_id) DO NOTHING";

/// Commits that lock at once after one that found its streams moved: where others write too, what
/// is remembered is mostly over.
const LOCKING_COMMITS: u32 = 32;

/// What one try came to.
enum Attempt {
    Done(Vec<BatchOutcome>),
    /// The long way must decide, or decide again; nothing was written.
    Disturbed,
}

/// Why a try ended early.
pub(super) enum Trouble {
    Database(sqlx::Error),
    Other(StoreError),
    /// Another process was first.
    Disturbed,
}

impl From<sqlx::Error> for Trouble {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Other(error)
    }
}

impl Trouble {
    /// An attempt that may be repeated, or the end of it.
    fn settle(self) -> Result<Attempt, StoreError> {
        match self {
            Self::Disturbed => Ok(Attempt::Disturbed),
            // An event or command that is in the store already, or a transaction in the way.
            Self::Database(error)
                if is_retryable(&error)
                    || error.as_database_error().is_some_and(|e| e.is_unique_violation()) =>
            {
                Ok(Attempt::Disturbed)
            }
            Self::Database(error) => Err(store_error(error)),
            Self::Other(error) => Err(error),
        }
    }
}

impl PostgresStore {
    pub(super) async fn commit(
        &self,
        batches: &[PreparedBatch],
        now: Timestamp,
        key_version: u32,
    ) -> Result<Vec<BatchOutcome>, StoreError> {
        let _measured = self.measure(DbOperation::CommitEvents);
        let mut state = self.writer.enter().await;
        let commit = async {
            let mut connection = self.writer.take(&mut state).await?;
            let outcomes =
                commit_on(&mut connection, &mut state, batches, now, key_version).await?;
            state.put_back(connection);
            Ok(outcomes)
        };
        // A connection that does not answer is dropped. Whether its last statement happened is not
        // known here: the callers are told to repeat, and a repeat is answered from the store.
        tokio::time::timeout(self.writer.limit(), commit).await.unwrap_or_else(|_| {
            Err(StoreError::Failed(anyhow::anyhow!("the database did not answer in time")))
        })
    }
}

async fn commit_on(
    connection: &mut PgConnection,
    state: &mut State,
    batches: &[PreparedBatch],
    now: Timestamp,
    key_version: u32,
) -> Result<Vec<BatchOutcome>, StoreError> {
    if state.locking_commits > 0 {
        state.locking_commits -= 1;
    } else {
        let remembered = write_remembered(connection, state, batches, now, key_version).await;
        if let Attempt::Done(outcomes) = remembered.or_else(Trouble::settle)? {
            return Ok(outcomes);
        }
    }
    for attempt in 0..ATTEMPTS {
        let mut transaction = connection.begin().await.map_err(store_error)?;
        let known = &mut state.known;
        let look = if attempt == 0 { Look::Quick } else { Look::Careful };
        let written = write_locked(&mut transaction, known, batches, look, now, key_version).await;
        let (outcomes, groups) = match written {
            Ok(written) => written,
            Err(trouble) => {
                trouble.settle()?;
                transaction.rollback().await.map_err(store_error)?;
                continue;
            }
        };
        match transaction.commit().await {
            Ok(()) => {
                remember(&mut state.known, groups);
                return Ok(outcomes);
            }
            Err(error) if is_retryable(&error) => {}
            Err(error) => return Err(store_error(error)),
        }
    }
    Err(StoreError::Failed(anyhow::anyhow!("other writers were in the way {ATTEMPTS} times")))
}

/// Decides on what is remembered and writes it in one statement, if it is still true.
async fn write_remembered(
    connection: &mut PgConnection,
    state: &mut State,
    batches: &[PreparedBatch],
    now: Timestamp,
    key_version: u32,
) -> Result<Attempt, Trouble> {
    let mut groups = group::<()>(batches);
    let complete = recall(&state.known, &mut groups);
    if groups.values().any(|group| !group.exists) {
        return Ok(Attempt::Disturbed);
    }
    if !complete {
        // Read without a lock: while head and epoch stay what they were, so do these.
        load_entities(connection, &mut groups).await?;
        load_keys(connection, &mut groups, FIND_KEYS).await?;
    }
    let outcomes = decide_all(&mut groups, batches, now, key_version)?;
    let rows = placed(&groups);
    if !all_accepted(&outcomes) || rows.len() > ROWS_PER_STATEMENT {
        return Ok(Attempt::Disturbed);
    }
    if write(connection, &HeadRows::of(&groups), &rows).await? {
        remember(&mut state.known, groups);
        return Ok(Attempt::Done(outcomes));
    }
    state.locking_commits = LOCKING_COMMITS;
    Ok(Attempt::Disturbed)
}

/// Moves the heads and writes events; false, and nothing written, when a head or an epoch is not
/// what it was.
async fn write(
    connection: &mut PgConnection,
    heads: &HeadRows,
    rows: &[PlacedRow<'_, '_>],
) -> sqlx::Result<bool> {
    let query = heads.bind(sqlx::query(AssertSqlSafe(WRITE_IF_UNCHANGED.as_str())));
    let done = bind_events(query, rows).execute(connection).await?;
    Ok(done.rows_affected() == rows.len() as u64)
}

/// What is asked about the events themselves.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Look {
    /// Nothing: they are taken for new, and the unique keys contradict where they are not.
    Quick,
    /// Whether they and their commands are in the store.
    Careful,
}

/// Locks, reads, decides and writes. Accepting nothing leaves no trace.
async fn write_locked<'a>(
    connection: &mut PgConnection,
    known: &mut Known<()>,
    batches: &'a [PreparedBatch],
    look: Look,
    now: Timestamp,
    key_version: u32,
) -> Result<(Vec<BatchOutcome>, Groups<'a, ()>), Trouble> {
    let mut groups = group::<()>(batches);
    lock_heads(connection, &mut groups).await?;
    for (stream, group) in &groups {
        if let Some(updated_at) = group.facts.updated_at {
            known.found_stream(stream, (group.facts.head_sequence, updated_at), group.key_epoch);
        }
    }
    let _ = recall(known, &mut groups);
    if look == Look::Careful {
        load_events(connection, &mut groups).await?;
    }
    load_entities(connection, &mut groups).await?;
    // The lock on its stream's row keeps a key from ending. A new stream has no row yet.
    let all_locked = groups.values().all(|group| group.exists);
    load_keys(connection, &mut groups, if all_locked { FIND_KEYS } else { LOCK_KEYS }).await?;
    let outcomes = decide_all(&mut groups, batches, now, key_version)?;
    if look == Look::Quick && !all_accepted(&outcomes) {
        return Err(Trouble::Disturbed);
    }
    let rows = placed(&groups);
    if rows.is_empty() {
        return Ok((outcomes, groups));
    }
    let heads = HeadRows::of(&groups);
    if heads.new_streams() > 0 {
        let created = heads.bind(sqlx::query(WRITE_STREAMS)).execute(&mut *connection).await?;
        if created.rows_affected() != heads.new_streams() {
            return Err(Trouble::Disturbed);
        }
    }
    let (first, more) = rows.split_at(rows.len().min(ROWS_PER_STATEMENT));
    if !write(connection, &heads, first).await? {
        return Err(Trouble::Disturbed);
    }
    for rows in more.chunks(ROWS_PER_STATEMENT) {
        let query = sqlx::query(AssertSqlSafe(WRITE_EVENTS.as_str()));
        bind_events(query, rows).execute(&mut *connection).await?;
    }
    Ok((outcomes, groups))
}

/// What is to be written, with its streams.
fn placed<'g, 'a>(groups: &'g Groups<'a, ()>) -> Vec<PlacedRow<'g, 'a>> {
    let of_stream = |(stream, group): (&'g Stream, &'g Group<'a, ()>)| {
        group.rows.iter().map(move |row| (stream, row))
    };
    groups.iter().flat_map(of_stream).collect()
}
