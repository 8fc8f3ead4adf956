-- What each vendor accepts, as it was last read, and the last reading that differed from it: cases
-- are drafted from it while the vendor cannot be asked, and it is told what has changed.
CREATE TABLE catalogs (
    vendor         TEXT PRIMARY KEY,
    read_at        INTEGER NOT NULL,
    content        TEXT NOT NULL,       -- JSON
    before_read_at INTEGER,             -- when the reading before it was last true
    before         TEXT,                -- JSON
    CHECK ((before IS NULL) = (before_read_at IS NULL))
) STRICT;
