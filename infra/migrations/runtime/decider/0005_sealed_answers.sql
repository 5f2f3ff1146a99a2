-- Which sealed answers are to be forgotten.
CREATE INDEX decision_sealed ON decision (at) WHERE sealed_answer IS NOT NULL;
