//! What a group commit writes, as the arrays that one statement takes for all its rows.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use uuid::Uuid;
use ves::Stream;

use super::super::group::Groups;
use super::super::sequencing::NewRow;

/// A statement with its arguments.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// A number as the database holds it: anything above its maximum is its maximum.
pub(super) fn bound(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A small number as the database holds it.
fn small(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Ends of streams, before and after.
#[derive(Default)]
pub(super) struct HeadRows {
    tenants: Vec<Uuid>,
    stores: Vec<Uuid>,
    old: Vec<i64>,
    new: Vec<i64>,
    updated: Vec<i64>,
    epochs: Vec<i64>,
}

impl HeadRows {
    /// Of every group that has something to write. The head before is the first number less one.
    pub(super) fn of(groups: &Groups<'_, ()>) -> Self {
        let mut heads = Self::default();
        for (stream, group) in groups {
            let Some(first) = group.rows.first() else { continue };
            heads.tenants.push(stream.tenant_id);
            heads.stores.push(stream.store_id);
            heads.old.push(bound(first.placement.sequence_number - 1));
            heads.new.push(bound(group.facts.head_sequence));
            heads.updated.push(group.updated_at());
            heads.epochs.push(bound(group.key_epoch));
        }
        heads
    }

    /// How many of them have their first event.
    pub(super) fn new_streams(&self) -> u64 {
        self.old.iter().filter(|old| **old == 0).count() as u64
    }

    /// Binds tenant, store, head before, head after, time, key epoch.
    pub(super) fn bind<'q>(&self, query: Statement<'q>) -> Statement<'q> {
        query
            .bind(self.tenants.clone())
            .bind(self.stores.clone())
            .bind(self.old.clone())
            .bind(self.new.clone())
            .bind(self.updated.clone())
            .bind(self.epochs.clone())
    }
}

/// An event and its stream.
pub(super) type PlacedRow<'g, 'a> = (&'g Stream, &'g NewRow<'a>);

/// Binds the columns of events in the order of [`super::commit::EVENT_COLUMNS`].
pub(super) fn bind_events<'q>(query: Statement<'q>, rows: &[PlacedRow<'_, 'q>]) -> Statement<'q> {
    macro_rules! column {
        ($row:ident, $stream:ident => $value:expr) => {
            rows.iter()
                .map(|($stream, new)| {
                    let $row = *new;
                    $value
                })
                .collect::<Vec<_>>()
        };
        ($row:ident => $value:expr) => {
            column!($row, _stream => $value)
        };
    }
    query
        .bind(column!(_row, stream => stream.tenant_id))
        .bind(column!(_row, stream => stream.store_id))
        .bind(column!(row => bound(row.placement.sequence_number)))
        .bind(column!(row => row.placement.sequenced_at.as_micros()))
        .bind(column!(row => bound(row.entity_version)))
        .bind(column!(row => row.prepared.event.base_version.map(bound)))
        .bind(column!(row => small(row.placement.key_version)))
        .bind(column!(row => small(row.prepared.event.agent_key_id)))
        .bind(column!(row => small(row.prepared.event.payload_kind())))
        .bind(column!(row => row.prepared.event.signature_scheme.map(bound)))
        .bind(column!(row => row.prepared.event.event_id))
        .bind(column!(row => row.prepared.event.source_agent_id))
        .bind(column!(row => row.prepared.event.command_id))
        .bind(column!(row => row.prepared.event.payload_plain_hash.0))
        .bind(column!(row => cipher_hash(row)))
        .bind(column!(row => row.prepared.signing_hash.0))
        .bind(column!(row => row.prepared.event.agent_signature.0))
        .bind(column!(row => row.prepared.event.entity_type.as_str()))
        .bind(column!(row => row.prepared.event.entity_id.as_str()))
        .bind(column!(row => row.prepared.event.event_type.as_str()))
        .bind(column!(row => row.prepared.event.created_at.as_str()))
        .bind(column!(row => row.prepared.event.payload.as_str()))
}

/// NULL for a plain payload, whose cipher hash is zero.
fn cipher_hash(row: &NewRow<'_>) -> Option<[u8; 32]> {
    let event = &row.prepared.event;
    (event.payload_kind() != 0).then_some(event.payload_cipher_hash.0)
}
