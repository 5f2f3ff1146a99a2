-- Handles that an account had, each with the time until which it leads here. No release has rows yet.
ALTER TABLE account ADD COLUMN former jsonb NOT NULL DEFAULT '{}';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX account_former ON account USING gin (former);
