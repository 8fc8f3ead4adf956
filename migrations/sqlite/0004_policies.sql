-- The policies of an incident's life: held incidents, news that wait to be told, silence, and the
-- record of what was decided and why.
--
-- SQLite cannot change a CHECK, so incidents are made anew, and with them the tables that refer to
-- them; renaming a table renames it in references as well.

CREATE TABLE new_incidents (
    id            TEXT PRIMARY KEY,
    scope         TEXT NOT NULL,        -- within which the identity counts
    rule          TEXT NOT NULL,        -- the one that began it
    identity      TEXT NOT NULL,
    generation    INTEGER NOT NULL CHECK (generation >= 1),
    previous_case TEXT,
    vendor        TEXT NOT NULL,
    rank          INTEGER NOT NULL CHECK (rank BETWEEN 1 AND 9),    -- that of its case
    worst         INTEGER NOT NULL CHECK (worst BETWEEN 1 AND 9),   -- the worst that was told
    state         TEXT NOT NULL CHECK (state IN
        ('pending', 'held', 'opening', 'open', 'resolving', 'closed', 'dropped', 'failed')),
    hold          TEXT CHECK (hold IN
        ('approval', 'shadow', 'mute', 'budget', 'rollup')),
    case_id       TEXT,
    due_at        INTEGER,
    ended_at      INTEGER,
    open_seq      INTEGER,
    origin        TEXT NOT NULL,        -- JSON: the alert that began it
    delivery      TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    heard_at      INTEGER NOT NULL,     -- when a sender last spoke of it, roughly
    told_at       INTEGER,              -- when its case was last told how it stands
    news          TEXT,                 -- JSON: what its case has not been told yet
    last_seq      INTEGER NOT NULL CHECK (last_seq >= 0),
    firing        INTEGER NOT NULL CHECK (firing >= 0),     -- members that fire,
    resolved      INTEGER NOT NULL CHECK (resolved >= 0),   -- and that have resolved
    stripped      INTEGER NOT NULL DEFAULT 0 CHECK (stripped IN (0, 1)),
    superseded    INTEGER NOT NULL DEFAULT 0 CHECK (superseded IN (0, 1)),
    UNIQUE (scope, identity, generation),
    CHECK ((state = 'held') = (hold IS NOT NULL)),
    CHECK ((state IN ('open', 'resolving', 'closed')) = (case_id IS NOT NULL)),
    CHECK (due_at IS NOT NULL OR state NOT IN ('pending', 'resolving')),
    CHECK (due_at IS NULL OR state IN ('pending', 'held', 'open', 'resolving')),
    CHECK ((state IN ('closed', 'dropped')) = (ended_at IS NOT NULL)),
    CHECK ((state IN ('opening', 'failed')) = (open_seq IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- When a sender last spoke of an incident is not known; repeats left no trace in it. So none counts
-- as silent before twelve hours (43,200 s) after the last delivery of all.
INSERT INTO new_incidents
SELECT id, rule, rule, identity, generation, previous_case, vendor, rank, rank, state, NULL, case_id,
    iif(state = 'open' AND origin->>'occurred_at' IS NULL, heard + 43200000000, due_at),
    ended_at, open_seq, origin, delivery, created_at, updated_at, heard, NULL, NULL, last_seq,
    firing, resolved, stripped, superseded
FROM (SELECT i.*, max(i.updated_at, coalesce((SELECT max(received_at) FROM deliveries), 0)) AS heard
      FROM incidents i);

CREATE TABLE new_members (
    incident    TEXT NOT NULL REFERENCES new_incidents (id),
    fingerprint TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('firing', 'resolved')),
    rank        INTEGER NOT NULL CHECK (rank BETWEEN 1 AND 9),
    since       INTEGER NOT NULL,
    alert       TEXT NOT NULL,          -- JSON: what the sender last said
    PRIMARY KEY (incident, fingerprint)
) STRICT, WITHOUT ROWID;

INSERT INTO new_members SELECT incident, fingerprint, status, rank, since, alert FROM members;

CREATE TABLE new_actions (
    incident    TEXT NOT NULL REFERENCES new_incidents (id),
    seq         INTEGER NOT NULL CHECK (seq >= 1),
    vendor      TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN
        ('open', 'comment', 'attach', 'contacts', 'recheck', 'close')),
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
DROP TABLE members;
DROP TABLE incidents;
ALTER TABLE new_incidents RENAME TO incidents;
ALTER TABLE new_members RENAME TO members;
ALTER TABLE new_actions RENAME TO actions;
ALTER TABLE new_attempts RENAME TO attempts;

CREATE INDEX incidents_by_due ON incidents (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX incidents_by_state ON incidents (state, updated_at);
CREATE INDEX incidents_prunable ON incidents (ended_at, id)
    WHERE ended_at IS NOT NULL AND (stripped = 0 OR superseded = 1);
-- The deliveries that began incidents which are not over are kept.
CREATE INDEX incidents_running_by_delivery ON incidents (delivery) WHERE ended_at IS NULL;
-- What waits for the case budget, in the order in which it is let go.
CREATE INDEX incidents_over_budget ON incidents (rank, created_at) WHERE hold = 'budget';
-- What roll-ups stand for.
CREATE INDEX incidents_rolled_up ON incidents (rank, created_at) WHERE hold = 'rollup';

CREATE TRIGGER incidents_supersede AFTER INSERT ON incidents WHEN NEW.generation > 1
BEGIN
    UPDATE incidents SET superseded = 1
    WHERE scope = NEW.scope AND identity = NEW.identity AND generation < NEW.generation;
END;

-- For the end of an alert whose labels no longer lead to its incident.
CREATE INDEX members_firing ON members (fingerprint) WHERE status = 'firing';

CREATE INDEX actions_waiting ON actions (due_at) WHERE state IN ('ready', 'leased');
CREATE INDEX actions_by_state ON actions (kind, state);
-- The order in which a vendor's actions are claimed.
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

-- The record of what was decided about an incident, and why. Repeats and mere changes of alerts
-- leave no line.
CREATE TABLE decisions (
    incident TEXT NOT NULL REFERENCES incidents (id),
    number   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    cause    TEXT NOT NULL,             -- a delivery's id, or a word for what else it was
    state    TEXT NOT NULL,             -- the state that it led to
    reason   TEXT NOT NULL,             -- in words
    PRIMARY KEY (incident, number)
) STRICT, WITHOUT ROWID;

-- Times in which people want no cases.
CREATE TABLE mutes (
    id         TEXT PRIMARY KEY,
    rule       TEXT,                    -- NULL: all rules
    until      INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    made_by    TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
