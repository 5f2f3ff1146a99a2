-- Which entries of the security log there are, until they are a year old; what they say is on the topic.
CREATE TABLE security_entry (
    account_id uuid NOT NULL,
    event_id uuid NOT NULL,
    partition int NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, event_id)
);
CREATE INDEX security_entry_due ON security_entry (partition, due_at);

-- What was sent to somebody's address and is good for one use: the SHA-256 of it, and what it is for.
CREATE TABLE proof (
    account_id uuid NOT NULL,
    -- reset, email
    kind text NOT NULL,
    digest bytea NOT NULL,
    -- of an e-mail change: the keyed hash of the new address, and the address under the account's data key
    email_hash bytea,
    email bytea,
    partition int NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, kind)
);
CREATE INDEX proof_expires ON proof (partition, expires_at);
