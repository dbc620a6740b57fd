-- Counts a failed attempt in the job's arguments, by its code: each kind of failure has its own
-- limit, which failures of another kind do not use up.

CREATE OR REPLACE FUNCTION note_failure(job_id bigint, code text) RETURNS void LANGUAGE sql AS $$
    UPDATE procrastinate_jobs SET args = args || jsonb_build_object(
        'last_failure', code,
        'failures', coalesce(args -> 'failures', '{}') || jsonb_build_object(
            code, coalesce((args -> 'failures' ->> code)::integer, 0) + 1
        )
    )
    WHERE id = job_id;
$$;
