-- Handles that an account had, each with the time until which it leads here.
ALTER TABLE account ADD COLUMN former jsonb NOT NULL DEFAULT '{}';
CREATE INDEX account_former ON account USING gin (former);
