-- Since when an action waits for a person to mend what it is made of. It is tried again by itself
-- meanwhile, so it is `ready` all the same.
ALTER TABLE actions ADD COLUMN blocked_at INTEGER
    CHECK (blocked_at IS NULL OR state IN ('ready', 'leased'));

DROP INDEX actions_for_people;
CREATE INDEX actions_for_people ON actions (due_at)
    WHERE state IN ('held', 'dead') OR blocked_at IS NOT NULL;
