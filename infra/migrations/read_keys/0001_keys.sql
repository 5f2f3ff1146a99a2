-- Public keys that gateways seal with and verify with.
CREATE TABLE key (
    key_id text PRIMARY KEY,
    use text NOT NULL,
    public text NOT NULL,
    published_at timestamptz NOT NULL,
    version bigint NOT NULL
);
