-- The second factors of each account as their owner sees them, as ready JSON.
CREATE TABLE factors (
    account_id uuid PRIMARY KEY,
    recovery_codes int NOT NULL,
    version bigint NOT NULL,
    body bytea NOT NULL
);
