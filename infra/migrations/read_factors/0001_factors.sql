-- The second factors of each account as their owner sees them, as ready JSON.
CREATE TABLE factors (
    account_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    body bytea NOT NULL
);
