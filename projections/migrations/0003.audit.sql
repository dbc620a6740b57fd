-- depends: 0001.event-log
-- The audit trail: indexes for queries over the whole log, and the record of who ran them.

CREATE INDEX post_events_by_topic ON post_events (topic, notification_id);
CREATE INDEX post_events_by_actor ON post_events (event_field(state, 'actor'), notification_id);
CREATE INDEX post_events_by_hour ON post_events (event_hour(state), notification_id);
CREATE INDEX post_events_by_creator ON post_events (event_field(state, 'user_id'))
    WHERE topic = 'post.created';

-- Who read other users' history: `question` is a path or a command, `filters` what narrowed it.
CREATE TABLE audit_accesses (
    access_id      bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    actor          text        NOT NULL,
    role           text        NOT NULL CHECK (role IN ('operator', 'auditor')),
    question       text        NOT NULL,
    filters        jsonb       NOT NULL,
    correlation_id uuid        NOT NULL
);

CREATE TRIGGER audit_accesses_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_accesses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
