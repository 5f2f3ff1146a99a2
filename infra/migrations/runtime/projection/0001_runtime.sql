-- What the runtime keeps in every schema, decider or projection: where it is, what it set aside, what is gone.
CREATE TABLE position (
    group_name text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    -- Kafka's id of the topic, to notice that it was made anew
    topic_id text,
    -- append time of the last applied record: the staleness guard compares it with the broker's retention
    applied_at timestamptz,
    -- offsets that were jumped over because an expiring topic had dropped them
    skipped bigint NOT NULL DEFAULT 0,
    -- why the partition stands still (circuit open, unknown type, stale, ...), shown by ops; NULL while it runs
    stopped text,
    owner text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_name, topic, partition)
);

CREATE TABLE dead_letter (
    group_name text NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    record_offset bigint NOT NULL,
    message_id uuid,
    type text,
    key text,
    sequence bigint,
    reason text NOT NULL,
    error text NOT NULL,
    attempts int NOT NULL,
    appended_at timestamptz NOT NULL,
    headers jsonb NOT NULL,
    body bytea,
    -- open, replay (marked for the owning group), closed, dropped
    state text NOT NULL DEFAULT 'open',
    -- a letter that is here only because an earlier one of its key is
    parked boolean NOT NULL DEFAULT false,
    note text,
    first_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    PRIMARY KEY (group_name, topic, partition, record_offset)
);
-- finds parked keys, and the letters that a newer state closes
CREATE INDEX dead_letter_key ON dead_letter (group_name, topic, key);

CREATE TABLE gone (
    topic text NOT NULL,
    key text NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (topic, key)
);
CREATE INDEX gone_at ON gone (at);
