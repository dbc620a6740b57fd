-- Puts a running job back into its queue, due after a delay; the arguments that are null keep what
-- the job has. The delay counts from the database's clock: machines' clocks differ.
-- The only caller of the queue library's retry function; in SQL for the reason in enqueue_job.

CREATE OR REPLACE FUNCTION requeue_job(
    job_id         bigint,
    delay          interval DEFAULT '0',
    new_priority   integer  DEFAULT NULL,
    new_queue_name text     DEFAULT NULL,
    new_lock       text     DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    SELECT procrastinate_retry_job_v2(
        job_id, now() + delay, new_priority, new_queue_name, new_lock
    );
$$;
