-- Who wrote a pick, as pages show them, as ready JSON. Kept whether or not any of their picks is known yet.
CREATE TABLE author (
    account_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    body bytea NOT NULL
);

-- A pick's own members hold its author no more: the gateway puts him beside them.
UPDATE pick SET body = convert_to(
    regexp_replace(convert_from(body, 'UTF8'), '"author":\{"id":"[0-9a-f-]{36}"\},', ''), 'UTF8');
