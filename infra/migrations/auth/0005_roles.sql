-- Handles that an account had, with the time until which each leads to it: part of its state, as handle_claim
-- forgets a handle that looks like the one that came after it.
ALTER TABLE account ADD COLUMN former_handles jsonb NOT NULL DEFAULT '[]';

-- Every role that was given or taken, for good. A role may be one within a scope: `moderator:queue:spam`.
CREATE TABLE role_audit (
    command_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    role text NOT NULL,
    granted boolean NOT NULL,
    -- null: the system, when the first owner was made
    actor uuid,
    at timestamptz NOT NULL
);
CREATE INDEX role_audit_account ON role_audit (account_id, at);
