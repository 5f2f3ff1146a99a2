-- Finds everything that was decided about a subject, its edges too: picks/<id>, reactions/<id>/<account>/<kind>.
-- `./pickly trace` asks so. Decisions live for eight days; an insert pays one more index entry of some 40 bytes,
-- and the relay's update of `offsets` touches no indexed column, so it stays within the page.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX decision_subject ON decision (split_part(resource, '/', 2));
