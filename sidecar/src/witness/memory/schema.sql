-- What a witness remembers. Ids and hashes are raw bytes, `stream` is tenant and store one after the
-- other; times are microseconds since the Unix epoch.

CREATE TABLE IF NOT EXISTS checkpoints (
    stream     BLOB    PRIMARY KEY,
    next       INTEGER NOT NULL,
    trail      BLOB    NOT NULL, -- over all leaves below `next`
    commitment TEXT,             -- the last one
    pending    BLOB    NOT NULL, -- leaves since then
    forgotten  INTEGER NOT NULL,
    last       BLOB,
    last_time  INTEGER,
    grid       INTEGER NOT NULL,
    signature  BLOB    NOT NULL  -- of the witness, over all of it
) STRICT;

-- The trail at some numbers, to say where a change is. The signed one finds it without them.
CREATE TABLE IF NOT EXISTS marks (
    stream BLOB    NOT NULL,
    number INTEGER NOT NULL,
    trail  BLOB    NOT NULL,
    PRIMARY KEY (stream, number)
) STRICT, WITHOUT ROWID;

-- Checkpoints that were not believed.
CREATE TABLE IF NOT EXISTS set_aside (
    stream     BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    reason     TEXT    NOT NULL,
    checkpoint TEXT    NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS receipt_keys (
    version    INTEGER PRIMARY KEY,
    public_key BLOB    NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS violations (
    id         TEXT    PRIMARY KEY,
    kind       TEXT    NOT NULL,
    stream     BLOB    NOT NULL, -- empty: all of them
    number     INTEGER NOT NULL, -- -1: none
    digest     BLOB    NOT NULL, -- of what was seen
    detail     TEXT    NOT NULL,
    evidence   TEXT,
    since      INTEGER NOT NULL,
    last_found INTEGER NOT NULL,
    ended_at   INTEGER,
    ended_by   TEXT,
    reason     TEXT,
    standing   INTEGER NOT NULL DEFAULT 1, -- 0 once a whole pass did not find it again
    adopted    INTEGER NOT NULL DEFAULT 0  -- the stream was begun again after its end
) STRICT;

CREATE INDEX IF NOT EXISTS violations_open ON violations (since) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS violations_place ON violations (stream, number, kind);
