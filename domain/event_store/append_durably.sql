-- Appends events as `append_post_events` does, and returns once they are durable.
-- The lock of the log is released before the disk is waited for: the first transaction commits
-- without waiting, the second one is nearly empty and waits for both, because the write-ahead log
-- is in order. All who wait share one flush. As long as `synchronous_commit` says so, the second
-- waits for standbys, too.
-- A procedure of the caller: one that runs as another role, or sets its path, may not commit.

CREATE OR REPLACE PROCEDURE append_durably(
    post_id         uuid,
    versions        bigint[],
    topics          text[],
    states          bytea[],
    jobs            jsonb,
    queue_capacity  integer,
    INOUT positions bigint[] DEFAULT NULL
) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL synchronous_commit = off;
    positions := ARRAY(
        SELECT append_post_events(post_id, versions, topics, states, jobs, queue_capacity)
    );
    COMMIT;
    PERFORM pg_logical_emit_message(true, 'nova', '');
END;
$$;
