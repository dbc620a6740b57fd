-- depends: 0001.post-events 03.04.00_50_post_add_retry_failed_job_procedure
-- Appends events of one post, and the jobs they lead to, and returns their positions in order.
-- The EXCLUSIVE lock makes positions appear in commit order (readers are not blocked by it);
-- taken inside one statement, it never waits for a client.

CREATE FUNCTION append_post_events(
    post_id        uuid,
    versions       bigint[],
    topics         text[],
    states         bytea[],
    jobs           jsonb,
    queue_capacity integer
) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE post_events IN EXCLUSIVE MODE;

    -- First of all: a repetition must meet its own rows before anything else can refuse it.
    RETURN QUERY
        INSERT INTO post_events (originator_id, originator_version, topic, state)
        SELECT append_post_events.post_id, event.version, event.topic, event.state
        FROM unnest(versions, topics, states) AS event (version, topic, state)
        ORDER BY event.version
        RETURNING notification_id;

    IF queue_capacity IS NOT NULL AND queue_capacity <= (
        SELECT count(*) FROM procrastinate_jobs AS waiting
        WHERE waiting.status = 'todo' AND waiting.queue_name = jobs -> 0 ->> 'queue_name'
    ) THEN
        RAISE EXCEPTION 'the job queue is full' USING ERRCODE = 'NV001';
    END IF;

    IF jsonb_array_length(jobs) > 0 THEN
        PERFORM procrastinate_defer_jobs_v1(array_agg(
            ROW (
                job ->> 'queue_name', job ->> 'task_name', 0,
                job ->> 'lock', NULL, job -> 'args',
                CASE WHEN (job ->> 'delay_seconds')::integer > 0
                     THEN now() + make_interval(secs => (job ->> 'delay_seconds')::integer) END
            )::procrastinate_job_to_defer_v1
        ))
        FROM jsonb_array_elements(jobs) AS job;
    END IF;

    NOTIFY post_events;
END;
$$;
