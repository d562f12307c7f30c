-- The embedded store. Ids, hashes and signatures are raw bytes; times are microseconds since the
-- Unix epoch. Rows of events, tree_tiles and commitments are written once and never changed.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE streams (
    id                 INTEGER PRIMARY KEY,
    tenant_id          BLOB    NOT NULL,
    store_id           BLOB    NOT NULL,
    head_sequence      INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL, -- sequenced_at of the head: never decreases
    committed_sequence INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, store_id)
) STRICT;

-- The background committer's question: which streams have events that are in no batch?
CREATE INDEX streams_uncommitted ON streams (id) WHERE head_sequence > committed_sequence;

-- Names of entities. Their versions are with their events: a row here is written once, so that an
-- event does not touch one more page.
CREATE TABLE entities (
    id          INTEGER PRIMARY KEY,
    stream      INTEGER NOT NULL REFERENCES streams (id),
    entity_type TEXT    NOT NULL,
    entity_id   TEXT    NOT NULL,
    UNIQUE (stream, entity_type, entity_id)
) STRICT;

CREATE TABLE events (
    id                  INTEGER PRIMARY KEY,
    stream              INTEGER NOT NULL REFERENCES streams (id),
    sequence_number     INTEGER NOT NULL,
    sequenced_at        INTEGER NOT NULL,
    key_version         INTEGER NOT NULL, -- receipt key in force at acceptance
    event_id            BLOB    NOT NULL,
    source_agent_id     BLOB    NOT NULL,
    agent_key_id        INTEGER NOT NULL,
    entity              INTEGER NOT NULL REFERENCES entities (id),
    entity_version      INTEGER NOT NULL, -- the entity's version after this event, from 1
    event_type          TEXT    NOT NULL,
    created_at          TEXT    NOT NULL, -- verbatim: it is signed
    payload_kind        INTEGER NOT NULL,
    payload             TEXT    NOT NULL, -- canonical JSON
    payload_plain_hash  BLOB    NOT NULL,
    payload_cipher_hash BLOB,             -- NULL: all zero, a plain payload
    signing_hash        BLOB    NOT NULL,
    agent_signature     BLOB    NOT NULL,
    signature_scheme    INTEGER,
    command_id          BLOB,
    base_version        INTEGER,
    UNIQUE (stream, sequence_number),
    UNIQUE (stream, event_id)
) STRICT;

CREATE UNIQUE INDEX events_by_entity ON events (entity, sequence_number, entity_version);
CREATE UNIQUE INDEX events_by_command ON events (stream, command_id) WHERE command_id IS NOT NULL;

CREATE TABLE commitments (
    id              INTEGER PRIMARY KEY,
    batch_id        BLOB    NOT NULL UNIQUE,
    stream          INTEGER NOT NULL REFERENCES streams (id),
    sequence_start  INTEGER NOT NULL,
    sequence_end    INTEGER NOT NULL,
    merkle_root     BLOB    NOT NULL,
    prev_state_root BLOB    NOT NULL,
    new_state_root  BLOB    NOT NULL,
    committed_at    INTEGER NOT NULL,
    UNIQUE (stream, sequence_start)
) STRICT;

-- A sealed tree as tiles of 256 nodes: a proof reads one tile per eight levels.
CREATE TABLE tree_tiles (
    commitment INTEGER NOT NULL REFERENCES commitments (id),
    band       INTEGER NOT NULL,
    tile       INTEGER NOT NULL,
    hashes     BLOB    NOT NULL,
    PRIMARY KEY (commitment, band, tile)
) STRICT;

CREATE TABLE agent_keys (
    tenant_id  BLOB    NOT NULL,
    agent_id   BLOB    NOT NULL,
    key_id     INTEGER NOT NULL,
    algorithm  INTEGER NOT NULL,
    public_key BLOB    NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('active', 'revoked', 'expired')),
    valid_from INTEGER,
    valid_to   INTEGER,
    revoked_at INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, key_id),
    CHECK (valid_from <= valid_to),
    CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    key_hash     BLOB    PRIMARY KEY, -- SHA-256 of the key; the key itself is nowhere
    key_prefix   TEXT    NOT NULL UNIQUE,
    tenant_id    BLOB    NOT NULL,    -- nil: the platform
    store_ids    TEXT    NOT NULL,    -- JSON array of UUIDs; empty: all stores
    can_read     INTEGER NOT NULL,
    can_write    INTEGER NOT NULL,
    can_admin    INTEGER NOT NULL,
    agent_id     BLOB,
    origin       TEXT    NOT NULL CHECK (origin IN ('bootstrap', 'created')),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sequencer_keys (
    version    INTEGER PRIMARY KEY, -- from 1
    public_key BLOB    NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to   INTEGER
) STRICT;
