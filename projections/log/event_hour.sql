-- The hour in which an event was recorded, in UTC; null if its state is damaged.
-- An index calls it: see event_field.

CREATE OR REPLACE FUNCTION event_hour(state bytea) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN date_trunc(
        'hour', (convert_from(state, 'UTF8')::jsonb ->> 'recorded_at')::timestamptz, 'UTC'
    );
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END;
$$;
