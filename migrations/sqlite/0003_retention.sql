-- What the pruning of old rows needs: indexes that hold only rows with work left, so that a run
-- costs what it removes and not what there is.

-- An ended incident whose alerts, attempts and actions are gone. The newest generation of a key
-- keeps its row for ever: without it generation 1 would be derived anew, and its marker would be
-- that of an old case.
ALTER TABLE incidents ADD COLUMN stripped INTEGER NOT NULL DEFAULT 0 CHECK (stripped IN (0, 1));

-- Whether a newer generation exists, so that the row itself may go.
ALTER TABLE incidents ADD COLUMN superseded INTEGER NOT NULL DEFAULT 0
    CHECK (superseded IN (0, 1));

UPDATE incidents SET superseded = 1 WHERE EXISTS (SELECT 1 FROM incidents newer
    WHERE newer.rule = incidents.rule AND newer.identity = incidents.identity
      AND newer.generation > incidents.generation);

CREATE TRIGGER incidents_supersede AFTER INSERT ON incidents WHEN NEW.generation > 1
BEGIN
    UPDATE incidents SET superseded = 1
    WHERE rule = NEW.rule AND identity = NEW.identity AND generation < NEW.generation;
END;

CREATE INDEX incidents_prunable ON incidents (ended_at, id)
    WHERE ended_at IS NOT NULL AND (stripped = 0 OR superseded = 1);

-- The deliveries that began incidents which are not over are kept.
CREATE INDEX incidents_running_by_delivery ON incidents (delivery) WHERE ended_at IS NULL;

CREATE INDEX delivery_ids_by_time ON delivery_ids (received_at);

CREATE INDEX attempts_by_end ON attempts (finished_at) WHERE finished_at IS NOT NULL;
