-- What is told to others than the vendor is an action, too.
--
-- SQLite cannot change a CHECK, so actions are made anew, and with them the table that refers to
-- them; renaming a table renames it in references as well.

CREATE TABLE new_actions (
    incident    TEXT NOT NULL REFERENCES incidents (id),
    seq         INTEGER NOT NULL CHECK (seq >= 1),
    vendor      TEXT NOT NULL,          -- the lane in which it is done
    kind        TEXT NOT NULL CHECK (kind IN
        ('open', 'comment', 'attach', 'contacts', 'recheck', 'close', 'tell')),
    payload     TEXT NOT NULL,          -- JSON: the kind with its data
    precedence  INTEGER NOT NULL,       -- opens before comments before closures
    rank        INTEGER NOT NULL,       -- worst severity first
    state       TEXT NOT NULL CHECK (state IN ('ready', 'leased', 'held', 'done', 'dead')),
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
    revived_at  INTEGER,                -- when a person last had it tried again
    finished_at INTEGER,
    message     TEXT,                   -- what the last attempt said
    PRIMARY KEY (incident, seq),
    CHECK ((state = 'leased') = (lease IS NOT NULL)),
    CHECK ((lease IS NULL) = (lease_until IS NULL)),
    CHECK ((state IN ('done', 'dead')) = (finished_at IS NOT NULL)),
    CHECK (phase = 'send' OR unknown_since IS NOT NULL)
) STRICT, WITHOUT ROWID;

INSERT INTO new_actions
SELECT incident, seq, vendor, kind, payload, precedence, rank, state, phase, looks, unknown_since,
    first_sent_at, attempts, due_at, leases, lease, lease_until, created_at, revived_at,
    finished_at, message
FROM actions;

CREATE TABLE new_attempts (
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
    FOREIGN KEY (incident, seq) REFERENCES new_actions (incident, seq),
    CHECK ((outcome = 'sending') = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO new_attempts
SELECT incident, seq, number, phase, delivery, started_at, finished_at, outcome, status, reference,
    message, request
FROM attempts;

DROP TABLE attempts;
DROP TABLE actions;
ALTER TABLE new_actions RENAME TO actions;
ALTER TABLE new_attempts RENAME TO attempts;

CREATE INDEX actions_waiting ON actions (due_at) WHERE state IN ('ready', 'leased');
CREATE INDEX actions_by_state ON actions (kind, state);
-- The order in which a lane's actions are claimed.
CREATE INDEX actions_by_urgency ON actions (vendor, precedence, rank, due_at)
    WHERE state IN ('ready', 'leased');
CREATE INDEX actions_by_age ON actions (vendor, due_at) WHERE state IN ('ready', 'leased');
CREATE INDEX actions_leased ON actions (lease_until) WHERE state = 'leased';
-- What waits for a person.
CREATE INDEX actions_for_people ON actions (due_at) WHERE state IN ('held', 'dead');
-- At most one open action of an incident is ever unfinished.
CREATE UNIQUE INDEX actions_one_open ON actions (incident)
    WHERE kind = 'open' AND state IN ('ready', 'leased', 'held');
-- The case budget: what was opened lately.
CREATE INDEX actions_opening ON actions (created_at) WHERE kind = 'open';

CREATE INDEX attempts_by_end ON attempts (finished_at) WHERE finished_at IS NOT NULL;
