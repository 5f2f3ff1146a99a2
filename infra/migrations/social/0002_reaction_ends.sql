-- Which command took a reaction back: an answer that says `unchanged` must wait until that one is visible.
-- Kept for a day, which is longer than any read model may lag behind without an alarm.
CREATE TABLE reaction_end (
    pick_id uuid NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL,
    ended_by uuid NOT NULL,
    partition int NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (pick_id, account_id, kind)
);
CREATE INDEX reaction_end_at ON reaction_end (partition, at);
