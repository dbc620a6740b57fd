-- When an event was recorded; null if its state is damaged.
-- Immutable because stored times carry their UTC offset.

CREATE OR REPLACE FUNCTION event_recorded_at(state bytea) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN (convert_from(state, 'UTF8')::jsonb ->> 'recorded_at')::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END;
$$;
