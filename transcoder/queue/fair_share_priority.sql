-- The priority of a user's next job, by start-time fair queueing: one less than the user's last
-- job in the queue, but no higher than the job that is being served. However many photos one user
-- uploads, another user's photo is next but one, and every photo is served eventually. Never above
-- zero: duties that share the queue have priorities above zero.

CREATE OR REPLACE FUNCTION fair_share_priority(in_queue text, of_user text) RETURNS integer
LANGUAGE sql AS $$
    SELECT -greatest(
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
