-- depends: 0005.placeholders
-- The audit trail: indexes that answer questions about the whole log, and the record of who asked.
-- A state that is no JSON has no fields: such a row can still be stored, seen and shown.

CREATE FUNCTION event_field(state bytea, name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN convert_from(state, 'UTF8')::jsonb ->> name;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END;
$$;

-- Immutable since stored times name their zone.
CREATE FUNCTION event_recorded_at(state bytea) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN (convert_from(state, 'UTF8')::jsonb ->> 'recorded_at')::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END;
$$;

-- Calls none of ours: while PostgreSQL builds or analyses an index, it does not find them.
CREATE FUNCTION event_hour(state bytea) RETURNS timestamptz
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN date_trunc(
        'hour', (convert_from(state, 'UTF8')::jsonb ->> 'recorded_at')::timestamptz, 'UTC'
    );
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END;
$$;

CREATE INDEX post_events_by_topic ON post_events (topic, notification_id);
CREATE INDEX post_events_by_actor ON post_events (event_field(state, 'actor'), notification_id);
CREATE INDEX post_events_by_hour ON post_events (event_hour(state), notification_id);
CREATE INDEX post_events_by_creator ON post_events (event_field(state, 'user_id'))
    WHERE topic = 'post.created';

-- Between which positions all events of a span of time lie, however the clocks of the machines that
-- wrote them disagreed: the first and the last position of each of its hours, two probes an hour.
CREATE FUNCTION positions_between(since timestamptz, until timestamptz)
RETURNS TABLE (first_position bigint, last_position bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    hour    timestamptz := date_trunc('hour', since, 'UTC') - interval '1 hour';
    earlier bigint;
    later   bigint;
BEGIN
    LOOP
        SELECT event_hour(state), notification_id INTO hour, earlier FROM post_events
        WHERE event_hour(state) > hour AND event_hour(state) < until
        ORDER BY event_hour(state), notification_id LIMIT 1;
        EXIT WHEN NOT FOUND;
        SELECT notification_id INTO later FROM post_events
        WHERE event_hour(state) = hour
        ORDER BY event_hour(state) DESC, notification_id DESC LIMIT 1;
        first_position := least(first_position, earlier);
        last_position := greatest(last_position, later);
    END LOOP;
    RETURN NEXT;
END;
$$;

-- Who read the audit trail of others: `question` is a path or a command, `filters` what narrowed it.
CREATE TABLE audit_accesses (
    access_id      bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    actor          text        NOT NULL,
    role           text        NOT NULL CHECK (role IN ('operator', 'auditor')),
    question       text        NOT NULL,
    filters        jsonb       NOT NULL,
    correlation_id uuid        NOT NULL
);

CREATE FUNCTION refuse_to_change_accesses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'accesses are never changed or removed (% on audit_accesses)', TG_OP
        USING ERRCODE = 'restrict_violation';
END;
$$;

CREATE TRIGGER audit_accesses_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_accesses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_accesses();
