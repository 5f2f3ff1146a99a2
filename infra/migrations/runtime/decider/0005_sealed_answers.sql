-- Which sealed answers are to be forgotten.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX decision_sealed ON decision (at) WHERE sealed_answer IS NOT NULL;
