-- People ask by the name of an alert why there was a case, or none. What makes no sense has no name,
-- and must not keep anything else from being written.
CREATE INDEX incidents_by_alert
    ON incidents (iif(json_valid(origin), origin->'labels'->>'alertname', NULL));
