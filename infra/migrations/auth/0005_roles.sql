-- Handles that an account had, with the time until which each leads to it: part of its state, as handle_claim
-- forgets a handle that looks like the one that came after it.
ALTER TABLE account ADD COLUMN former_handles jsonb NOT NULL DEFAULT '[]';

-- Who has which role. A grant may be for one queue or collection only; '' is everywhere.
CREATE TABLE role_grant (
    account_id uuid NOT NULL,
    role text NOT NULL,
    scope text NOT NULL,
    -- null: the system, when the first owner was made
    granted_by uuid,
    granted_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, role, scope)
);

-- Every grant and every withdrawal, for good.
CREATE TABLE role_audit (
    command_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    role text NOT NULL,
    scope text NOT NULL,
    granted boolean NOT NULL,
    actor uuid,
    at timestamptz NOT NULL
);
CREATE INDEX role_audit_account ON role_audit (account_id, at);
