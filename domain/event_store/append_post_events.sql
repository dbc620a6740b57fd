-- Appends events of one post, and the jobs they lead to, and returns their positions in order.
-- The EXCLUSIVE lock makes positions appear in commit order, so that no follower skips an event;
-- readers are not blocked. It is taken inside one statement and never waits for a client.

CREATE OR REPLACE FUNCTION append_post_events(
    post_id        uuid,
    versions       bigint[],
    topics         text[],
    states         bytea[],
    jobs           jsonb,
    queue_capacity integer
) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE post_events IN EXCLUSIVE MODE;

    -- A repeated append whose first reply was lost must meet its own rows below, not a full queue.
    IF queue_capacity IS NOT NULL AND queue_capacity <= (
        SELECT count(*) FROM procrastinate_jobs AS waiting
        WHERE waiting.status = 'todo' AND waiting.queue_name = jobs -> 0 ->> 'queue_name'
    ) AND NOT EXISTS (
        SELECT FROM post_events AS stored
        WHERE stored.originator_id = append_post_events.post_id
          AND stored.originator_version = versions[1]
    ) THEN
        RAISE EXCEPTION 'the job queue is full' USING ERRCODE = 'NV001';
    END IF;

    RETURN QUERY
        INSERT INTO post_events (originator_id, originator_version, topic, state)
        SELECT append_post_events.post_id, event.version, event.topic, event.state
        FROM unnest(versions, topics, states) AS event (version, topic, state)
        ORDER BY event.version
        RETURNING notification_id;

    PERFORM enqueue_job(job) FROM jsonb_array_elements(jobs) AS job;

    NOTIFY post_events;
END;
$$;
