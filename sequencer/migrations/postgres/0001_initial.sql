-- The store on PostgreSQL and what speaks its protocol. Times are microseconds since the Unix
-- epoch. Rows of events, tree_tiles and commitments are written once and never changed.
--
-- The tenant leads every key of the log, so that an engine that distributes rows keeps a tenant's
-- together (docs/scaling.md). Nothing here numbers rows by itself: no sequence, no serial.

CREATE TABLE meta (
    name  TEXT  PRIMARY KEY,
    value BYTEA NOT NULL
);

-- One row is updated by every group commit. No index may name a column that changes: the update
-- then stays on the row's page and dead versions are pruned at once. The free half is for them.
CREATE TABLE streams (
    tenant_id          UUID   NOT NULL,
    store_id           UUID   NOT NULL,
    head_sequence      BIGINT NOT NULL,
    updated_at         BIGINT NOT NULL, -- sequenced_at of the head: never decreases
    committed_sequence BIGINT NOT NULL DEFAULT 0,
    key_epoch          BIGINT NOT NULL DEFAULT 0, -- grows when a key of the tenant ends
    PRIMARY KEY (tenant_id, store_id)
) WITH (fillfactor = 50);

CREATE TABLE events (
    tenant_id           UUID     NOT NULL,
    store_id            UUID     NOT NULL,
    sequence_number     BIGINT   NOT NULL,
    sequenced_at        BIGINT   NOT NULL,
    entity_version      BIGINT   NOT NULL, -- the entity's version after this event, from 1
    base_version        BIGINT,
    key_version         INTEGER  NOT NULL, -- receipt key in force at acceptance
    agent_key_id        INTEGER  NOT NULL,
    payload_kind        SMALLINT NOT NULL,
    signature_scheme    SMALLINT,
    event_id            UUID     NOT NULL,
    source_agent_id     UUID     NOT NULL,
    command_id          UUID,
    payload_plain_hash  BYTEA    NOT NULL,
    payload_cipher_hash BYTEA,             -- NULL: all zero, a plain payload
    signing_hash        BYTEA    NOT NULL,
    agent_signature     BYTEA    NOT NULL,
    entity_type         TEXT     NOT NULL,
    entity_id           TEXT     NOT NULL,
    event_type          TEXT     NOT NULL,
    created_at          TEXT     NOT NULL, -- verbatim: it is signed
    payload             TEXT     NOT NULL, -- canonical JSON
    PRIMARY KEY (tenant_id, store_id, sequence_number)
);

CREATE UNIQUE INDEX events_by_id ON events (tenant_id, store_id, event_id);
CREATE UNIQUE INDEX events_by_command ON events (tenant_id, store_id, command_id)
    WHERE command_id IS NOT NULL;
-- By version, not by number: with the number the planner may walk the primary key backwards through
-- a whole stream in search of an entity's last event. And no version is given twice.
CREATE UNIQUE INDEX events_by_entity
    ON events (tenant_id, store_id, entity_type, entity_id, entity_version);

CREATE TABLE commitments (
    tenant_id       UUID   NOT NULL,
    store_id        UUID   NOT NULL,
    sequence_start  BIGINT NOT NULL,
    sequence_end    BIGINT NOT NULL,
    batch_id        UUID   NOT NULL,
    merkle_root     BYTEA  NOT NULL,
    prev_state_root BYTEA  NOT NULL,
    new_state_root  BYTEA  NOT NULL,
    committed_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, store_id, sequence_start)
);

-- A batch is asked for by its random id alone.
CREATE INDEX commitments_by_batch ON commitments (batch_id);

-- A sealed tree as tiles of 256 nodes: a proof reads one tile per eight levels.
CREATE TABLE tree_tiles (
    tenant_id      UUID     NOT NULL,
    store_id       UUID     NOT NULL,
    sequence_start BIGINT   NOT NULL, -- of its commitment
    band           SMALLINT NOT NULL,
    tile           BIGINT   NOT NULL,
    hashes         BYTEA    NOT NULL,
    PRIMARY KEY (tenant_id, store_id, sequence_start, band, tile)
);

CREATE TABLE agent_keys (
    tenant_id  UUID    NOT NULL,
    agent_id   UUID    NOT NULL,
    key_id     INTEGER NOT NULL,
    algorithm  INTEGER NOT NULL,
    public_key BYTEA   NOT NULL,
    status     TEXT    NOT NULL CHECK (status IN ('active', 'revoked', 'expired')),
    valid_from BIGINT,
    valid_to   BIGINT,
    revoked_at BIGINT,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (tenant_id, agent_id, key_id),
    CHECK (valid_from <= valid_to),
    CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
);

-- Small tables of the whole installation.

CREATE TABLE api_keys (
    key_hash     BYTEA   PRIMARY KEY, -- SHA-256 of the key; the key itself is nowhere
    key_prefix   TEXT    NOT NULL UNIQUE,
    tenant_id    UUID    NOT NULL,    -- nil: the platform
    store_ids    TEXT    NOT NULL,    -- JSON array of UUIDs; empty: all stores
    can_read     BOOLEAN NOT NULL,
    can_write    BOOLEAN NOT NULL,
    can_admin    BOOLEAN NOT NULL,
    agent_id     UUID,
    rate_limit   BIGINT,              -- requests a minute; NULL: no limit of its own
    origin       TEXT    NOT NULL CHECK (origin IN ('bootstrap', 'created')),
    created_at   BIGINT  NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

CREATE TABLE sequencer_keys (
    version    INTEGER PRIMARY KEY, -- from 1
    public_key BYTEA   NOT NULL,
    valid_from BIGINT  NOT NULL,
    valid_to   BIGINT
);

-- Who does the work that one process does at a time. The epoch grows with every new owner, so that
-- a late write of the former one is known and refused. Times are the database's.
CREATE TABLE leases (
    name       TEXT   PRIMARY KEY,
    owner      UUID   NOT NULL,
    epoch      BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- An agent is named by its id alone in the routes, and an administrator's figures are of a tenant.
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, agent_id, key_prefix);
CREATE INDEX api_keys_by_agent ON api_keys (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX agent_keys_by_agent ON agent_keys (agent_id);
