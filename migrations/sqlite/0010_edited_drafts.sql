-- What people have changed of drafts before their cases are opened. `edits` counts how often, so
-- that nobody overwrites, or approves, what they have not seen.
CREATE TABLE edited_drafts (
    incident  TEXT PRIMARY KEY REFERENCES incidents (id),
    edits     INTEGER NOT NULL CHECK (edits >= 1),
    edit      TEXT NOT NULL,            -- JSON: the fields that differ from the rule's
    edited_by TEXT NOT NULL,
    edited_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The orders in which people page through what there is: a page costs what it shows, not what
-- there ever was. None holds what changes often.
CREATE INDEX incidents_by_creation ON incidents (created_at, id);
CREATE INDEX incidents_of_state ON incidents (state, created_at, id);
CREATE INDEX incidents_of_rule ON incidents (rule, created_at, id);
CREATE INDEX incidents_with_case ON incidents (created_at, id) WHERE case_id IS NOT NULL;
CREATE INDEX incidents_by_case ON incidents (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX incidents_by_delivery ON incidents (delivery);
CREATE INDEX members_by_time ON members (since, incident, fingerprint);
CREATE INDEX members_firing_by_time ON members (since, incident, fingerprint)
    WHERE status = 'firing';
CREATE INDEX members_by_fingerprint ON members (fingerprint, since, incident);
CREATE INDEX actions_by_creation ON actions (created_at, incident, seq);
CREATE INDEX actions_by_vendor ON actions (vendor, created_at, incident, seq);
-- Repeats are most of the traffic, and pay nothing for this.
CREATE INDEX deliveries_by_fate ON deliveries (fate, received_at, id) WHERE fate <> 'repeat';
