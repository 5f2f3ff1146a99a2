CREATE TABLE reaction (
    pick_id uuid NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL,
    reacted_at timestamptz NOT NULL,
    version bigint NOT NULL,
    changed_by uuid NOT NULL,
    partition int NOT NULL,
    -- set while the pick is unknown: when nobody has heard of it by then, the reaction goes
    sweep_at timestamptz,
    PRIMARY KEY (pick_id, account_id, kind)
);
CREATE INDEX reaction_sweep ON reaction (partition, sweep_at) WHERE sweep_at IS NOT NULL;

-- What social knows of picks. A closed one takes no reactions; an unknown one does, it may be on its way.
CREATE TABLE pick_copy (
    pick_id uuid PRIMARY KEY,
    closed boolean NOT NULL,
    version bigint NOT NULL,
    partition int NOT NULL,
    -- the pick is gone and its reactions are on their way out, a page a tick
    burying boolean NOT NULL DEFAULT false
);
CREATE INDEX pick_copy_burying ON pick_copy (partition) WHERE burying;
