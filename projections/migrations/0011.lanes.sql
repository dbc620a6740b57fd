-- depends: 0010.unfinished-posts
-- Lanes and turns: bulk work has a queue of its own, and within a queue users take turns.

CREATE INDEX procrastinate_jobs_by_user
    ON procrastinate_jobs (queue_name, (args ->> 'user_id'), priority)
    WHERE status IN ('todo', 'doing');

-- The queue's rows come and go all the time: vacuum them by their number, not by their share.
ALTER TABLE procrastinate_jobs SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 500
);
ALTER TABLE procrastinate_events SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000
);

-- Start-time fair queueing: a user's job comes one turn after that user's last one, but never
-- before the turn that is being served. So a thousand photos of one user stand between nobody
-- else's single photo and its worker, and nobody's photo waits for ever. Lower turns first.
CREATE FUNCTION next_turn(in_queue text, of_user text) RETURNS integer LANGUAGE sql AS $$
    SELECT greatest(
        (
            SELECT 1 - min(job.priority) FROM procrastinate_jobs AS job
            WHERE job.queue_name = in_queue AND job.args ->> 'user_id' = of_user
              AND job.status IN ('todo', 'doing')
        ),
        coalesce(
            (
                SELECT -min(job.priority) FROM procrastinate_jobs AS job
                WHERE job.queue_name = in_queue AND job.status = 'doing'
            ),
            (
                SELECT -max(job.priority) FROM procrastinate_jobs AS job
                WHERE job.queue_name = in_queue AND job.status = 'todo'
            ),
            0
        )
    );
$$;

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

    -- A repetition meets its own rows below: it is not refused for what it has stored already.
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

    IF jsonb_array_length(jobs) > 0 THEN
        PERFORM procrastinate_defer_jobs_v1(array_agg(
            ROW (
                job ->> 'queue_name', job ->> 'task_name',
                -next_turn(job ->> 'queue_name', job -> 'args' ->> 'user_id'),
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

-- As before, in every queue that has work on posts.
CREATE OR REPLACE FUNCTION rescue_posts(idle_for interval) RETURNS TABLE (post_id uuid)
LANGUAGE sql AS $$
    -- Jobs that began so long ago that whoever runs them has forgotten them.
    WITH forgotten AS (
        SELECT job.id, job.args FROM procrastinate_jobs AS job
        WHERE job.queue_name IN ('transcode', 'bulk') AND job.status = 'doing' AND NOT EXISTS (
            SELECT FROM procrastinate_events AS event
            WHERE event.job_id = job.id AND event.type = 'started' AND event.at > now() - idle_for
        )
    ), requeued AS (
        SELECT forgotten.args, procrastinate_retry_job_v2(forgotten.id, now(), NULL, NULL, NULL)
        FROM forgotten
    ),
    -- Posts that wait for nobody: their job ended without an event.
    waiting AS (
        SELECT posts.id FROM posts
        WHERE posts.status = 'processing' AND posts.updated_at < now() - idle_for
          AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS job
            WHERE job.lock = 'post:' || posts.id AND job.status IN ('todo', 'doing')
        )
    ), last AS (
        SELECT DISTINCT ON (event.originator_id) event.originator_id AS id,
               convert_from(event.state, 'UTF8')::jsonb AS state
        FROM post_events AS event JOIN waiting ON waiting.id = event.originator_id
        ORDER BY event.originator_id, event.originator_version DESC
    ), deferred AS (
        SELECT last.id, procrastinate_defer_jobs_v1(ARRAY[
            ROW ('transcode', 'post.transcode', 0, 'post:' || last.id, NULL, jsonb_build_object(
                'post_id', last.id,
                'correlation_id', last.state ->> 'correlation_id',
                'causation_id', last.state ->> 'event_id'
            ), NULL)::procrastinate_job_to_defer_v1
        ])
        FROM last
    )
    SELECT (requeued.args ->> 'post_id')::uuid FROM requeued
    UNION ALL
    SELECT deferred.id FROM deferred;
$$;

-- How many seconds pass from one post that leaves the queue to the next while it is full: what the
-- last twenty took, by how many are worked on just now. Null while none is, or before any was.
CREATE FUNCTION seconds_per_post() RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT avg(
        (stages ->> 'download_ms')::integer + (stages ->> 'transcode_ms')::integer
        + (stages ->> 'upload_ms')::integer
    ) / 1000 / nullif((
        SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'transcode' AND status = 'doing'
    ), 0)
    FROM (
        SELECT convert_from(state, 'UTF8')::jsonb -> 'stages' AS stages FROM post_events
        WHERE topic = 'post.published' ORDER BY notification_id DESC LIMIT 20
    ) AS latest;
$$;
