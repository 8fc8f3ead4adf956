-- What a vendor says of an incident's case, as it was last read, and the comments on it that are not
-- ours, so that people see them here and each is news once.
CREATE TABLE watched_cases (
    incident       TEXT PRIMARY KEY REFERENCES incidents (id),
    vendor         TEXT NOT NULL,       -- the incident's
    case_id        TEXT NOT NULL,
    status         TEXT,                -- the vendor's word where it is not known here
    next_action    TEXT,
    first_response INTEGER CHECK (first_response >= 0),     -- minutes
    opened_at      INTEGER,             -- the vendor's times
    updated_at     INTEGER,
    resolved_at    INTEGER,
    closed_at      INTEGER,
    version        TEXT,                -- what the vendor's list called this state
    checked_at     INTEGER NOT NULL     -- ours: when it was last known to be so
) STRICT, WITHOUT ROWID;

-- How many cases stand how: counted at every scrape.
CREATE INDEX watched_cases_by_status ON watched_cases (vendor, status, next_action);

CREATE TABLE case_comments (
    incident TEXT NOT NULL REFERENCES watched_cases (incident),
    number   INTEGER NOT NULL,          -- in the order in which they were read
    id       TEXT NOT NULL,             -- the vendor's
    author   TEXT NOT NULL,
    at       INTEGER,
    kind     TEXT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (incident, number),
    UNIQUE (incident, id)
) STRICT, WITHOUT ROWID;
