-- Who people are. E-mail addresses lie here encrypted under a key of their account, which lies wrapped beside
-- them; they are found by a keyed hash.
CREATE TABLE account (
    account_id uuid PRIMARY KEY,
    handle text NOT NULL UNIQUE,
    display_name text NOT NULL,
    bio text NOT NULL,
    links text[] NOT NULL,
    language text NOT NULL,
    time_zone text NOT NULL,
    roles text[] NOT NULL,
    -- active, deactivated, suspended
    standing text NOT NULL,
    opened_at timestamptz NOT NULL,
    handle_changed_at timestamptz,
    roles_changed_at timestamptz,
    email_hash bytea UNIQUE,
    email bytea,
    -- `<pepper id>$argon2id$...`; null with passkeys only
    password text,
    -- characters of the password: fewer than 15 need a second factor beside it
    password_length int NOT NULL DEFAULT 0,
    password_version int NOT NULL DEFAULT 1,
    version bigint NOT NULL,
    changed_by uuid NOT NULL,
    partition int NOT NULL,
    -- when it is to be erased, as its owner asked
    due_at timestamptz
);
CREATE INDEX account_due ON account (partition, due_at) WHERE due_at IS NOT NULL;

-- Erasing an account's data key makes everything encrypted under it unreadable.
CREATE TABLE data_key (
    account_id uuid PRIMARY KEY,
    wrapped bytea NOT NULL
);

-- Who has a handle, had it, or is about to have it. Two handles that look alike are one.
CREATE TABLE handle_claim (
    skeleton text PRIMARY KEY,
    handle text NOT NULL,
    account_id uuid NOT NULL,
    -- when it is free again; null while it is somebody's
    until timestamptz
);
CREATE INDEX handle_claim_account ON handle_claim (account_id);

CREATE TABLE registration (
    account_id uuid PRIMARY KEY,
    handle text NOT NULL,
    skeleton text NOT NULL,
    email_hash bytea NOT NULL,
    email bytea NOT NULL,
    password text NOT NULL,
    password_length int NOT NULL,
    -- SHA-256 of what was sent to the address; null when the address has an account already
    proof bytea,
    partition int NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX registration_expires ON registration (partition, expires_at);

CREATE TABLE session (
    session_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    device text NOT NULL,
    place text NOT NULL,
    assurance int NOT NULL,
    -- when a factor was last used
    factor_at timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    -- SHA-256 of the refresh token that is to be used next, of the one before, and when that was exchanged
    refresh_digest bytea NOT NULL,
    refresh_parent bytea,
    refreshed_at timestamptz NOT NULL,
    version bigint NOT NULL,
    changed_by uuid NOT NULL,
    partition int NOT NULL,
    due_at timestamptz NOT NULL
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_due ON session (partition, due_at);

-- Key pairs that commands are sealed to and access tokens are signed with; the private half is wrapped.
CREATE TABLE key_pair (
    key_id text PRIMARY KEY,
    use text NOT NULL,
    public text NOT NULL,
    wrapped bytea NOT NULL,
    made_at timestamptz NOT NULL
);

-- How often something was guessed at, by the keyed hash of what; raised before each check.
CREATE TABLE guess (
    what bytea PRIMARY KEY,
    failures int NOT NULL,
    at timestamptz NOT NULL,
    next_at timestamptz NOT NULL
);
CREATE INDEX guess_at ON guess (at);
