-- Requests a minute that a credential may make; NULL: no limit of its own.
ALTER TABLE api_keys ADD COLUMN rate_limit INTEGER;

-- Who does the work that one process does at a time. The epoch grows with every new owner, so that
-- a late write of the former one is known and refused.
CREATE TABLE leases (
    name       TEXT PRIMARY KEY,
    owner      BLOB    NOT NULL,
    epoch      INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
