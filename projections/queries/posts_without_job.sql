-- Posts that have been processing for this long without a job, and the cause of their next one:
-- the last event that can be read. Their job ended without an event, or was deleted by hand.

CREATE OR REPLACE FUNCTION posts_without_job(idle_for interval)
RETURNS TABLE (post_id uuid, user_id uuid, correlation_id uuid, causation_id uuid)
LANGUAGE sql STABLE AS $$
    SELECT posts.id, posts.user_id, last.correlation_id, last.causation_id
    FROM posts CROSS JOIN LATERAL (
        SELECT event_field(state, 'correlation_id')::uuid AS correlation_id,
               event_field(state, 'event_id')::uuid AS causation_id
        FROM post_events
        WHERE originator_id = posts.id AND event_json(state) IS NOT NULL
        ORDER BY originator_version DESC LIMIT 1
    ) AS last
    WHERE posts.status = 'processing' AND posts.updated_at < now() - idle_for
      AND NOT EXISTS (
        SELECT FROM procrastinate_jobs AS job
        WHERE job.lock = job_lock(posts.id) AND job.status IN ('todo', 'doing')
    );
$$;
