-- depends: 0002.append-post-events 0003.read-tables
-- The net under the queue: a post that waits for its variants always has a job that will end.
-- Normally there is nothing to do; the periodic job of the worker calls this all the same.

CREATE FUNCTION rescue_posts(idle_for interval) RETURNS TABLE (post_id uuid) LANGUAGE sql AS $$
    -- Jobs that began so long ago that whoever runs them has forgotten them.
    WITH forgotten AS (
        SELECT job.id, job.args FROM procrastinate_jobs AS job
        WHERE job.queue_name = 'transcode' AND job.status = 'doing' AND NOT EXISTS (
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
