-- People ask by the name of an alert why there was a case, or none.
CREATE INDEX incidents_by_alert ON incidents (origin->'labels'->>'alertname');
