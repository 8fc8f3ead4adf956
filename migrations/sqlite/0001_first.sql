-- Times are microseconds since 1970 UTC. Enumerations and what belongs to a state are checked here
-- as well as in Rust: a row that makes no sense is refused at the door.

CREATE TABLE meta (
    installation TEXT NOT NULL
) STRICT;

CREATE TABLE deliveries (
    id          TEXT PRIMARY KEY,
    source      TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    fate        TEXT NOT NULL CHECK (fate IN
        ('accepted', 'repeat', 'unmatched', 'ignored', 'noted', 'redelivered', 'unusable')),
    note        TEXT,
    verdicts    TEXT NOT NULL,          -- JSON, one element per alert
    body        BLOB                    -- NULL where the body told nothing new
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_time ON deliveries (received_at);

-- The ids by which a sender's redeliveries are recognised.
CREATE TABLE delivery_ids (
    source      TEXT NOT NULL,
    id          TEXT NOT NULL,
    delivery    TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE incidents (
    id            TEXT PRIMARY KEY,
    rule          TEXT NOT NULL,
    identity      TEXT NOT NULL,
    generation    INTEGER NOT NULL CHECK (generation >= 1),
    previous_case TEXT,
    vendor        TEXT NOT NULL,
    rank          INTEGER NOT NULL CHECK (rank BETWEEN 1 AND 9),
    state         TEXT NOT NULL CHECK (state IN
        ('pending', 'opening', 'open', 'resolving', 'closed', 'dropped', 'failed')),
    case_id       TEXT,
    due_at        INTEGER,
    ended_at      INTEGER,
    open_seq      INTEGER,
    origin        TEXT NOT NULL,        -- JSON: the alert that began it
    delivery      TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    last_seq      INTEGER NOT NULL CHECK (last_seq >= 0),
    firing        INTEGER NOT NULL CHECK (firing >= 0),     -- members that fire,
    resolved      INTEGER NOT NULL CHECK (resolved >= 0),   -- and that have resolved
    UNIQUE (rule, identity, generation),
    CHECK ((state IN ('open', 'resolving', 'closed')) = (case_id IS NOT NULL)),
    CHECK ((state IN ('pending', 'resolving')) = (due_at IS NOT NULL)),
    CHECK ((state IN ('closed', 'dropped')) = (ended_at IS NOT NULL)),
    CHECK ((state IN ('opening', 'failed')) = (open_seq IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX incidents_by_due ON incidents (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX incidents_by_state ON incidents (state, updated_at);

CREATE TABLE members (
    incident    TEXT NOT NULL REFERENCES incidents (id),
    fingerprint TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    rank        INTEGER NOT NULL CHECK (rank BETWEEN 1 AND 9),
    since       INTEGER NOT NULL,
    alert       TEXT NOT NULL,          -- JSON: what the sender last said
    PRIMARY KEY (incident, fingerprint)
) STRICT, WITHOUT ROWID;

-- For the end of an alert whose labels no longer lead to its incident.
CREATE INDEX members_firing ON members (fingerprint) WHERE status = 'firing';

-- The outbox.
CREATE TABLE actions (
    incident    TEXT NOT NULL REFERENCES incidents (id),
    seq         INTEGER NOT NULL CHECK (seq >= 1),
    vendor      TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('open', 'comment', 'close')),
    payload     TEXT NOT NULL,          -- JSON: the kind with its data
    precedence  INTEGER NOT NULL,       -- opens before comments before closures
    rank        INTEGER NOT NULL,       -- worst severity first
    state       TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'done', 'dead')),
    phase       TEXT NOT NULL CHECK (phase IN ('send', 'look')),
    looks       INTEGER NOT NULL DEFAULT 0,
    unknown_since INTEGER,              -- since when the outcome is unknown; set while looking
    first_sent_at INTEGER,              -- how far back to look
    attempts    INTEGER NOT NULL DEFAULT 0,
    due_at      INTEGER NOT NULL,
    leases      INTEGER NOT NULL DEFAULT 0,
    lease       INTEGER,                -- fencing token of the present holder
    lease_until INTEGER,
    created_at  INTEGER NOT NULL,
    finished_at INTEGER,
    message     TEXT,                   -- what the last attempt said
    PRIMARY KEY (incident, seq),
    CHECK ((state = 'leased') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK ((state IN ('done', 'dead')) = (finished_at IS NOT NULL)),
    CHECK (phase = 'send' OR unknown_since IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX actions_waiting ON actions (due_at) WHERE state IN ('ready', 'leased');
CREATE INDEX actions_by_state ON actions (kind, state);
-- At most one open action of an incident is ever unfinished.
CREATE UNIQUE INDEX actions_one_open ON actions (incident)
    WHERE kind = 'open' AND state IN ('ready', 'leased');

CREATE TABLE attempts (
    incident    TEXT NOT NULL,
    seq         INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    phase       TEXT NOT NULL CHECK (phase IN ('send', 'look')),
    delivery    TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    outcome     TEXT NOT NULL CHECK (outcome IN
        ('sending', 'done', 'refused', 'not_sent', 'denied', 'throttled', 'unknown',
         'found', 'absent', 'several', 'failed')),
    status      INTEGER,
    reference   TEXT,
    message     TEXT,
    request     TEXT,                   -- JSON: what was sent
    PRIMARY KEY (incident, seq, number),
    FOREIGN KEY (incident, seq) REFERENCES actions (incident, seq),
    CHECK ((outcome = 'sending') = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;
