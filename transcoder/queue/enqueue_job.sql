-- Queues one job, given as the JSON of domain.jobs.Job, and returns its id.
-- The only caller of the queue library's defer function, which changes its name between releases.
-- In SQL, not PL/pgSQL: PostgreSQL checks the body when it is created, so `nova migrate` fails if
-- that function is gone, instead of the first append.

CREATE OR REPLACE FUNCTION enqueue_job(job jsonb) RETURNS bigint LANGUAGE sql AS $$
    SELECT (procrastinate_defer_jobs_v1(ARRAY[ROW (
        job ->> 'queue_name', job ->> 'task_name',
        fair_share_priority(job ->> 'queue_name', job -> 'args' ->> 'user_id'),
        job ->> 'lock', NULL, job -> 'args',
        CASE WHEN (job ->> 'delay_seconds')::integer > 0
             THEN now() + make_interval(secs => (job ->> 'delay_seconds')::integer) END
    )::procrastinate_job_to_defer_v1]))[1];
$$;
