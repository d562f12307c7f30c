-- The sidecar's credential has an origin of its own.
ALTER TABLE api_keys DROP CONSTRAINT IF EXISTS api_keys_origin_check;
ALTER TABLE api_keys DROP CONSTRAINT IF EXISTS check_origin; -- CockroachDB's name for it
ALTER TABLE api_keys ADD CONSTRAINT api_keys_known_origin
    CHECK (origin IN ('bootstrap', 'sidecar', 'created'));
