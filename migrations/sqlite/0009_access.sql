-- Who was let in, and what people have had done.

-- Browsers that were let in. Of what a browser shows only digests are here.
CREATE TABLE sessions (
    id           TEXT PRIMARY KEY,      -- SHA-256 of what the browser shows
    name         TEXT NOT NULL,         -- of the token that began it
    role         TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    seal         TEXT NOT NULL,         -- which token it was, for who has what the browser shows
    from_address TEXT,
    created_at   INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_by_name ON sessions (name, created_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- The record of acts. A line is begun before the act and ended after it; a line that was never
-- ended is of an act of which it is not known whether it was done.
CREATE TABLE audit (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    at           INTEGER NOT NULL,
    who          TEXT,                  -- NULL: somebody who was not recognised
    role         TEXT CHECK (role IN ('viewer', 'operator', 'admin')),
    means        TEXT CHECK (means IN ('token', 'session', 'proxy')),
    from_address TEXT,
    act          TEXT NOT NULL,
    object       TEXT NOT NULL,
    detail       TEXT NOT NULL,
    outcome      TEXT NOT NULL CHECK (outcome IN ('begun', 'done', 'refused', 'failed')),
    why          TEXT NOT NULL DEFAULT '',
    ended_at     INTEGER,
    CHECK ((outcome = 'begun') = (ended_at IS NULL)),
    CHECK ((who IS NULL) = (role IS NULL) AND (who IS NULL) = (means IS NULL))
) STRICT;

CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_object ON audit (object, number);
