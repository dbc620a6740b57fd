-- One field of an event's state; null if the state is damaged or has no such field.
-- Indexes call it: a change of what it returns needs a migration that rebuilds them. It calls no
-- function of ours, since PostgreSQL builds and analyses indexes with a search path of its own.

CREATE OR REPLACE FUNCTION event_field(state bytea, name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN convert_from(state, 'UTF8')::jsonb ->> name;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END;
$$;
