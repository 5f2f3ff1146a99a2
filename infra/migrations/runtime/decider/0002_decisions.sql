-- What the runtime keeps for a decider: which messages it has handled, what it decided, what it will send.
CREATE TABLE inbox (
    group_name text NOT NULL,
    message_id uuid NOT NULL,
    touched_at timestamptz NOT NULL,
    PRIMARY KEY (group_name, message_id)
);
CREATE INDEX inbox_touched_at ON inbox (touched_at);

CREATE TABLE decision (
    command_id uuid PRIMARY KEY,
    actor uuid,
    type text NOT NULL,
    -- decided, unchanged, refused, parked, failed
    status text NOT NULL,
    reason text,
    -- ce_subject of what the command was about, as in picks/<id>
    resource text NOT NULL,
    body_hash text,
    -- how many outbox rows this command caused, and, by event id, where the relay put them:
    -- {"<event id>": ["pick.events", 3, 17]}
    events int NOT NULL DEFAULT 0,
    offsets jsonb NOT NULL DEFAULT '{}',
    -- an earlier command that must be visible before this answer makes sense
    after uuid,
    sealed_answer bytea,
    at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX decision_at ON decision (at);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause uuid NOT NULL,
    event_id uuid NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    key text NOT NULL,
    body bytea,
    headers jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE effect (
    id uuid PRIMARY KEY,
    group_name text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    cause uuid NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    leased_until timestamptz,
    error text,
    -- set when it was given up; the payload is then gone
    dead_at timestamptz
);
CREATE INDEX effect_due ON effect (due_at) WHERE dead_at IS NULL;
