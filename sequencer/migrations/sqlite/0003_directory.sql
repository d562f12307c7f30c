-- An agent is named by its id alone in the routes, and an administrator's figures are of a tenant.
CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, agent_id, key_prefix);
CREATE INDEX api_keys_by_agent ON api_keys (agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX agent_keys_by_agent ON agent_keys (agent_id);
