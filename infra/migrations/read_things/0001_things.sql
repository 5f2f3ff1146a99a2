-- Things and how they were picked. `body` is ready JSON: {"id","ref","kind","title"}.
CREATE TABLE thing (
    thing_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    body bytea NOT NULL
);

-- What each pick contributes; bucket is the rating in halves, 0 without a rating.
CREATE TABLE pick_edge (
    pick_id uuid PRIMARY KEY,
    thing_id uuid NOT NULL,
    bucket smallint NOT NULL,
    counted boolean NOT NULL,
    version bigint NOT NULL
);

-- A thing's picks lie on many partitions, so each partition counts for itself and reads sum.
CREATE TABLE thing_count (
    thing_id uuid NOT NULL,
    bucket smallint NOT NULL,
    partition int NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (thing_id, bucket, partition)
);
