-- Sessions as their owner sees them, as ready JSON; and when they ended, for every gateway to know.
CREATE TABLE session (
    session_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    seen_at timestamptz NOT NULL,
    ended_at timestamptz,
    version bigint NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX session_account ON session (account_id, seen_at DESC, session_id DESC) WHERE ended_at IS NULL;
CREATE INDEX session_ended ON session (ended_at) WHERE ended_at IS NOT NULL;
