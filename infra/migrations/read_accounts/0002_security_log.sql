-- The security log of each account, as ready JSON, for its owner alone.
CREATE TABLE security_entry (
    account_id uuid NOT NULL,
    event_id uuid NOT NULL,
    at timestamptz NOT NULL,
    version bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (account_id, event_id)
);
CREATE INDEX security_entry_newest ON security_entry (account_id, at DESC, event_id DESC);
