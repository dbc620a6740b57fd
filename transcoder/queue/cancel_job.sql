-- Deletes a job that is still waiting, so that it no longer counts towards the queue's capacity.
-- The only caller of the queue library's cancel function; in SQL for the reason in enqueue_job.

CREATE OR REPLACE FUNCTION cancel_job(job_id bigint) RETURNS void LANGUAGE sql AS $$
    SELECT procrastinate_cancel_job_v1(job_id, false, true);
$$;
