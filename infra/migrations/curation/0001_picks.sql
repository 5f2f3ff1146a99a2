CREATE TABLE thing (
    thing_id uuid PRIMARY KEY,
    ref text NOT NULL,
    kind text NOT NULL,
    title text NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE pick (
    pick_id uuid PRIMARY KEY,
    author_id uuid NOT NULL,
    thing_id uuid NOT NULL,
    note text NOT NULL,
    rating double precision,
    tags text[] NOT NULL,
    picked_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    edited_at timestamptz,
    deleted_at timestamptz,
    version bigint NOT NULL,
    changed_by uuid NOT NULL,
    -- when the tombstone falls due, and on whose tick
    due_at timestamptz,
    partition int NOT NULL
);
CREATE INDEX pick_due ON pick (partition, due_at) WHERE due_at IS NOT NULL;
