-- Whether the last payload of which an incident was told left alerts out.
ALTER TABLE incidents ADD COLUMN incomplete INTEGER NOT NULL DEFAULT 0 CHECK (incomplete IN (0, 1));

-- For what comes back although the rules lead it elsewhere by now: of senders that order their
-- events, whose labels change as they go.
CREATE INDEX members_ended ON members (fingerprint)
    WHERE status = 'resolved' AND alert->>'occurred_at' IS NOT NULL;
