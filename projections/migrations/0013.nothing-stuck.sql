-- depends: 0012.needed-objects
-- Nothing stuck: duties that no backlog holds up, and that no single row stops.

-- Jobs with a common lock are looked for at every fetch, and by all who look at unfinished posts.
CREATE INDEX procrastinate_jobs_by_lock ON procrastinate_jobs (lock)
    WHERE status IN ('todo', 'doing');
-- A lane costs what waits in it, however deep the others are.
CREATE INDEX procrastinate_jobs_by_turn ON procrastinate_jobs (queue_name, priority DESC, id)
    WHERE status = 'todo';
CREATE INDEX procrastinate_jobs_served ON procrastinate_jobs (queue_name, priority)
    WHERE status = 'doing';

-- As before, but never before the duties that share a queue: their priority is above zero.
CREATE OR REPLACE FUNCTION next_turn(in_queue text, of_user text) RETURNS integer LANGUAGE sql
AS $$
    SELECT greatest(
        0,
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
            )
        )
    );
$$;

-- The jobs note how often they came to nothing, and why: each kind of trouble has a limit of its
-- own, which trouble of another kind does not use up.
CREATE FUNCTION note_trouble(of_job bigint, code text) RETURNS void LANGUAGE sql AS $$
    UPDATE procrastinate_jobs SET args = args || jsonb_build_object(
        'trouble', code,
        'troubles', coalesce(args -> 'troubles', '{}') || jsonb_build_object(
            code, coalesce((args -> 'troubles' ->> code)::integer, 0) + 1
        )
    )
    WHERE id = of_job;
$$;

-- An event as JSON; null if it is damaged.
CREATE FUNCTION event_json(state bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN convert_from(state, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END;
$$;

-- As before, but of a post that has a damaged event nobody can say that it is settled.
CREATE OR REPLACE FUNCTION needed_objects(post_ids uuid[])
RETURNS TABLE (post_id uuid, is_deleted boolean, is_settled boolean, keys text[])
LANGUAGE sql STABLE AS $$
    SELECT event.originator_id,
           bool_or(event.topic = 'post.deleted'),
           (array_agg(event.topic ORDER BY event.originator_version DESC))[1]
               NOT IN ('post.uploaded', 'post.variant_ready', 'post.retried')
               AND bool_and(event_json(event.state) IS NOT NULL),
           coalesce(array_agg(made.key) FILTER (WHERE made.key IS NOT NULL), '{}')
    FROM post_events AS event
    LEFT JOIN LATERAL (
        SELECT event_json(event.state) AS state
        WHERE event.topic IN ('post.created', 'post.variant_ready', 'post.reprocessed')
    ) AS told ON true
    LEFT JOIN LATERAL (
        SELECT told.state ->> 'image_key' AS key
        UNION ALL SELECT told.state ->> 'key'
        UNION ALL SELECT variant ->> 'key'
        FROM jsonb_array_elements(told.state -> 'variants') AS variant
    ) AS made ON made.key IS NOT NULL
    WHERE event.originator_id = ANY (post_ids)
    GROUP BY event.originator_id;
$$;

-- As before, one by one: what cannot be rescued keeps nobody else from it.
CREATE OR REPLACE FUNCTION rescue_posts(idle_for interval) RETURNS TABLE (post_id uuid)
LANGUAGE plpgsql AS $$
DECLARE
    job  record;
    post record;
BEGIN
    -- Jobs that began so long ago that whoever runs them has forgotten them.
    FOR job IN
        SELECT doing.id, doing.args FROM procrastinate_jobs AS doing
        WHERE doing.queue_name IN ('transcode', 'bulk', 'housekeeping')
          AND doing.args ? 'post_id' AND doing.status = 'doing' AND NOT EXISTS (
            SELECT FROM procrastinate_events AS event
            WHERE event.job_id = doing.id AND event.type = 'started'
              AND event.at > now() - idle_for
        )
    LOOP
        BEGIN
            PERFORM note_trouble(job.id, 'worker_lost');
            PERFORM procrastinate_retry_job_v2(job.id, now(), NULL, NULL, NULL);
            post_id := (job.args ->> 'post_id')::uuid;
            RETURN NEXT;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'job % is not rescued: %', job.id, sqlerrm;
        END;
    END LOOP;

    -- Posts that wait for nobody: their job ended without an event.
    FOR post IN
        SELECT posts.id, posts.user_id, last.state FROM posts CROSS JOIN LATERAL (
            SELECT event_json(event.state) AS state FROM post_events AS event
            WHERE event.originator_id = posts.id
            ORDER BY event.originator_version DESC LIMIT 1
        ) AS last
        WHERE posts.status = 'processing' AND posts.updated_at < now() - idle_for
          AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS known
            WHERE known.lock = 'post:' || posts.id AND known.status IN ('todo', 'doing')
        )
    LOOP
        BEGIN
            PERFORM procrastinate_defer_jobs_v1(ARRAY[
                ROW (
                    'transcode', 'post.transcode', -next_turn('transcode', post.user_id::text),
                    'post:' || post.id, NULL, jsonb_build_object(
                        'post_id', post.id,
                        'user_id', post.user_id,
                        'correlation_id', post.state ->> 'correlation_id',
                        'causation_id', post.state ->> 'event_id'
                    ), NULL
                )::procrastinate_job_to_defer_v1
            ]);
            post_id := post.id;
            RETURN NEXT;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'post % is not rescued: %', post.id, sqlerrm;
        END;
    END LOOP;
END;
$$;
