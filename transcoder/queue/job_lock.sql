-- The lock of a post's jobs, which never run at the same time; domain.jobs.lock_of in SQL.

CREATE OR REPLACE FUNCTION job_lock(post_id uuid) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT 'post:' || post_id;
$$;
