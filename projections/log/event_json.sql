-- An event's state as JSON; null if it is damaged, so that one bad row never fails a whole query.

CREATE OR REPLACE FUNCTION event_json(state bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN convert_from(state, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END;
$$;
