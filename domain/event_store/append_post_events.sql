-- Appends events of one post, and the jobs they lead to, and returns their positions in order.
-- The EXCLUSIVE lock makes positions appear in commit order, so that no follower skips an event;
-- readers are not blocked. It is taken inside one statement and never waits for a client.
-- It runs as the owner of the log, so that a role which may append can neither change nor remove
-- events. Its search path ends with pg_temp, or a caller's temporary table could stand in for ours.
-- A copied or restored database may have its position sequence behind the log: a position that the
-- log, a projection or the sealed checkpoint has passed is refused, because no follower would see it.

CREATE OR REPLACE FUNCTION append_post_events(
    post_id        uuid,
    versions       bigint[],
    topics         text[],
    states         bytea[],
    jobs           jsonb,
    queue_capacity integer
) RETURNS SETOF bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    -- Of the waiting jobs, so many may be of one user: none fills the queue alone.
    user_capacity CONSTANT integer := greatest(5, queue_capacity / 10);
    -- Read before the lock, to hold that for less time: followers never pass the log.
    followed CONSTANT bigint := greatest(
        (SELECT max(follower.position) FROM projection_positions AS follower),
        (SELECT sealing.position FROM log_sealing AS sealing)
    );
    head          bigint;
    next_position bigint;
BEGIN
    LOCK TABLE post_events IN EXCLUSIVE MODE;

    -- Null if the sequence has not been used since it was set.
    next_position := pg_sequence_last_value('post_events_notification_id_seq') + 1;
    IF next_position IS NULL THEN
        SELECT unused.last_value INTO next_position FROM post_events_notification_id_seq AS unused;
    END IF;
    -- By max(), which always reads one end of the index: EXISTS plans to read the whole table.
    head := greatest(followed, (SELECT max(stored.notification_id) FROM post_events AS stored));
    IF next_position <= head THEN
        RAISE EXCEPTION 'the next position, %, is not above the head of the log, %: run nova migrate',
            next_position, head
        USING ERRCODE = 'NV003';
    END IF;

    -- A repeated append whose first reply was lost must meet its own rows below, not a full queue.
    IF queue_capacity IS NOT NULL AND NOT EXISTS (
        SELECT FROM post_events AS stored
        WHERE stored.originator_id = append_post_events.post_id
          AND stored.originator_version = versions[1]
    ) THEN
        IF user_capacity <= (
            SELECT count(*) FROM procrastinate_jobs AS own
            WHERE own.status = 'todo' AND own.queue_name = jobs -> 0 ->> 'queue_name'
              AND own.args ->> 'user_id' = jobs -> 0 -> 'args' ->> 'user_id'
        ) THEN
            RAISE EXCEPTION 'the user has too many jobs waiting'
            USING ERRCODE = 'NV002', DETAIL = user_capacity::text;
        ELSIF queue_capacity <= (
            SELECT count(*) FROM procrastinate_jobs AS waiting
            WHERE waiting.status = 'todo' AND waiting.queue_name = jobs -> 0 ->> 'queue_name'
        ) THEN
            RAISE EXCEPTION 'the job queue is full' USING ERRCODE = 'NV001';
        END IF;
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

REVOKE EXECUTE ON FUNCTION append_post_events FROM PUBLIC;
