-- Which entries of the security log there are, until they are a year old; what they say is on the topic.
CREATE TABLE security_entry (
    account_id uuid NOT NULL,
    event_id uuid NOT NULL,
    partition int NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, event_id)
);
CREATE INDEX security_entry_due ON security_entry (partition, due_at);

-- What was sent to somebody's address and is good for one use, the newest of each kind. For a name that
-- nobody has there is one as well, of an account that does not exist, so that both cost the same.
CREATE TABLE proof (
    account_id uuid NOT NULL,
    -- reset, email
    kind text NOT NULL,
    -- SHA-256 of what was sent
    digest bytea NOT NULL,
    -- of an e-mail change: the keyed hash of the new address, and the address under the account's data key
    email_hash bytea,
    email bytea,
    partition int NOT NULL,
    -- where it was asked for, and when
    place text NOT NULL,
    asked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    -- whether the security log of the account has it
    noted bool NOT NULL,
    PRIMARY KEY (account_id, kind)
);
CREATE INDEX proof_expires ON proof (partition, expires_at);
CREATE INDEX proof_not_noted ON proof (partition) WHERE NOT noted;

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX registration_email ON registration (email_hash);
