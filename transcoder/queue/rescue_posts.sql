-- Queues what was lost again: jobs that have been running longer than any attempt takes, and posts
-- that are processing without a job. Each is rescued on its own: one failure stops no other.

CREATE OR REPLACE FUNCTION rescue_posts(idle_for interval) RETURNS TABLE (post_id uuid)
LANGUAGE plpgsql AS $$
DECLARE
    job  record;
    post record;
BEGIN
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
            PERFORM requeue_job(job.id);
            post_id := (job.args ->> 'post_id')::uuid;
            RETURN NEXT;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'job % is not rescued: %', job.id, sqlerrm;
        END;
    END LOOP;

    FOR post IN
        SELECT posts.id, posts.user_id, last.state FROM posts CROSS JOIN LATERAL (
            SELECT event_json(event.state) AS state FROM post_events AS event
            WHERE event.originator_id = posts.id
            ORDER BY event.originator_version DESC LIMIT 1
        ) AS last
        WHERE posts.status = 'processing' AND posts.updated_at < now() - idle_for
          AND NOT EXISTS (
            SELECT FROM procrastinate_jobs AS known
            WHERE known.lock = job_lock(posts.id) AND known.status IN ('todo', 'doing')
        )
    LOOP
        BEGIN
            PERFORM enqueue_job(jsonb_build_object(
                'queue_name', 'transcode', 'task_name', 'post.transcode',
                'lock', job_lock(post.id), 'args', jsonb_build_object(
                    'post_id', post.id,
                    'user_id', post.user_id,
                    'correlation_id', post.state ->> 'correlation_id',
                    'causation_id', post.state ->> 'event_id'
                )
            ));
            post_id := post.id;
            RETURN NEXT;
        EXCEPTION WHEN OTHERS THEN
            RAISE WARNING 'post % is not rescued: %', post.id, sqlerrm;
        END;
    END LOOP;
END;
$$;
