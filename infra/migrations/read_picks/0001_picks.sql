-- Picks as pages show them. `body` holds ready JSON members, without braces; the gateway adds thing and reactions.
CREATE TABLE pick (
    pick_id uuid PRIMARY KEY,
    author_id uuid NOT NULL,
    thing_id uuid NOT NULL,
    version bigint NOT NULL,
    picked_at timestamptz NOT NULL,
    published_at timestamptz NOT NULL,
    deleted_at timestamptz,
    body bytea NOT NULL
);
CREATE INDEX pick_by_author ON pick (author_id, picked_at DESC, pick_id DESC) WHERE deleted_at IS NULL;
CREATE INDEX pick_by_thing ON pick (thing_id, published_at DESC, pick_id DESC) WHERE deleted_at IS NULL;
CREATE INDEX pick_latest ON pick (published_at DESC, pick_id DESC) WHERE deleted_at IS NULL;

-- Edges are kept whether or not their pick is known yet: topics arrive in any order.
CREATE TABLE reaction (
    pick_id uuid NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (pick_id, account_id, kind)
);

CREATE TABLE reaction_count (
    pick_id uuid NOT NULL,
    kind text NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (pick_id, kind)
);
