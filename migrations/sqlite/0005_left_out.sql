-- JSON, the labels of a group: none of the incident's alerts fires, and the payload that said so
-- left alerts of this group out.
ALTER TABLE incidents ADD COLUMN left_out TEXT;

-- For what comes back although the rules lead it elsewhere by now: of senders that order their
-- events, whose labels change as they go.
CREATE INDEX members_ended ON members (fingerprint)
    WHERE status = 'resolved' AND alert->>'occurred_at' IS NOT NULL;
