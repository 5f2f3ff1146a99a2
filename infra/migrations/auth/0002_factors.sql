-- Second factors. A secret of an authenticator app lies here encrypted under its account's data key; of a passkey
-- there is the public half only.
CREATE TABLE factor (
    factor_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    -- totp, passkey
    kind text NOT NULL,
    name text NOT NULL,
    secret bytea,
    -- the newest step whose code was used: each step counts once
    last_step bigint NOT NULL DEFAULT 0,
    credential_id bytea UNIQUE,
    public_key bytea,
    sign_count bigint NOT NULL DEFAULT 0,
    transports text[] NOT NULL DEFAULT '{}',
    backed_up boolean NOT NULL DEFAULT false,
    aaguid text NOT NULL DEFAULT '',
    added_at timestamptz NOT NULL,
    -- null until it was used for the first time: before that it counts for nothing
    confirmed_at timestamptz,
    used_at timestamptz
);
CREATE INDEX factor_account ON factor (account_id, added_at);
CREATE INDEX factor_unconfirmed ON factor (added_at) WHERE confirmed_at IS NULL;

CREATE TABLE recovery_code (
    account_id uuid NOT NULL,
    -- HMAC of account and code
    code bytea NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (account_id, code)
);

-- The version of an account's list of factors on its topic.
ALTER TABLE account ADD COLUMN factors_version bigint NOT NULL DEFAULT 0;

-- Something that was asked for and goes on when a factor is proven; each is used once.
CREATE TABLE challenge (
    -- of sign_in also the session that will begin, of add_passkey also the factor
    challenge_id uuid PRIMARY KEY,
    -- sign_in, step_up, add_passkey
    kind text NOT NULL,
    -- null when a passkey is to say who signs in
    account_id uuid,
    -- which session it is for, of step_up
    session_id uuid,
    device text NOT NULL,
    -- when a password was right: which one
    password_version int,
    -- what a passkey is to sign; no secret
    random bytea NOT NULL,
    partition int NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX challenge_expires ON challenge (partition, expires_at);
