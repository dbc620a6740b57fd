-- The event log: the truth that everything else is derived from.
--
-- Migrations are forward-only: once released, a file is never edited, and a change is a new file.
-- They hold tables, indexes and triggers. Functions are files of their own beside the code that
-- they serve; projections/migrate.py creates those before the indexes and triggers that call them.

-- Column names are those that the event-sourcing library reads; notification_id is the position.
CREATE TABLE post_events (
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL CHECK (originator_version > 0),
    topic              text   NOT NULL,
    state              bytea  NOT NULL,
    notification_id    bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (originator_id, originator_version)
) WITH (
    -- Rows are only ever added: analyse often, vacuum for the visibility map.
    autovacuum_analyze_scale_factor = 0.01,
    autovacuum_vacuum_insert_scale_factor = 0.05
);

CREATE UNIQUE INDEX post_events_position ON post_events (notification_id);

CREATE TRIGGER post_events_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON post_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
