-- What happened when, counted in pieces of ten minutes: enough to draw a day and to tell when a rule
-- last matched, without reading what was counted again. Written with what it counts.
CREATE TABLE tallies (
    what    TEXT NOT NULL CHECK (what IN
        ('alerts', 'matches', 'incidents', 'cases', 'attempts', 'outbox')),
    bucket  INTEGER NOT NULL,           -- when the ten minutes began
    name    TEXT NOT NULL,              -- the source, the rule or the lane; empty for the outbox
    count   INTEGER NOT NULL CHECK (count >= 0),
    sum     INTEGER NOT NULL CHECK (sum >= 0),      -- of microseconds, or of actions that wait
    most    INTEGER NOT NULL CHECK (most >= 0),     -- the largest of what was summed
    last_at INTEGER NOT NULL,           -- when it was last counted
    PRIMARY KEY (what, bucket, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tallies_by_age ON tallies (bucket);
