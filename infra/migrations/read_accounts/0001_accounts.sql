-- Accounts as everybody sees them, as ready JSON, and as their owner does.
CREATE TABLE account (
    account_id uuid PRIMARY KEY,
    handle text NOT NULL,
    standing text NOT NULL,
    roles text[] NOT NULL,
    roles_changed_at timestamptz,
    version bigint NOT NULL,
    body bytea NOT NULL,
    own bytea NOT NULL
);
CREATE INDEX account_handle ON account (handle);
CREATE INDEX account_roles_changed ON account (roles_changed_at) WHERE roles_changed_at IS NOT NULL;
