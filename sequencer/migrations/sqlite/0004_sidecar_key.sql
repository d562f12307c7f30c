-- The sidecar's credential has an origin of its own. A check cannot be changed in place.
CREATE TABLE api_keys_new (
    key_hash     BLOB    PRIMARY KEY, -- SHA-256 of the key; the key itself is nowhere
    key_prefix   TEXT    NOT NULL UNIQUE,
    tenant_id    BLOB    NOT NULL,    -- nil: the platform
    store_ids    TEXT    NOT NULL,    -- JSON array of UUIDs; empty: all stores
    can_read     INTEGER NOT NULL,
    can_write    INTEGER NOT NULL,
    can_admin    INTEGER NOT NULL,
    agent_id     BLOB,
    rate_limit   INTEGER,             -- requests a minute; NULL: no limit of its own
    origin       TEXT    NOT NULL CHECK (origin IN ('bootstrap', 'sidecar', 'created')),
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;

INSERT INTO api_keys_new (key_hash, key_prefix, tenant_id, store_ids, can_read, can_write,
        can_admin, agent_id, rate_limit, origin, created_at, last_used_at, revoked_at)
    SELECT key_hash, key_prefix, tenant_id, store_ids, can_read, can_write,
        can_admin, agent_id, rate_limit, origin, created_at, last_used_at, revoked_at
    FROM api_keys;
DROP TABLE api_keys;
ALTER TABLE api_keys_new RENAME TO api_keys;

CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, agent_id, key_prefix);
CREATE INDEX api_keys_by_agent ON api_keys (agent_id) WHERE agent_id IS NOT NULL;
