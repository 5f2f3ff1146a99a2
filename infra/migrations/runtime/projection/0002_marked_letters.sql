-- Finds the letters that ops has marked; the owning group looks every second. Marked ones are few and soon closed.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX dead_letter_marked ON dead_letter (group_name, topic, partition, record_offset)
    WHERE closed_at IS NULL AND state IN ('replay', 'drop');
