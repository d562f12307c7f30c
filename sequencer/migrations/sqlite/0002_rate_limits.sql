-- Requests a minute that a credential may make; NULL: no limit of its own.
ALTER TABLE api_keys ADD COLUMN rate_limit INTEGER;
