-- depends: 03.04.00_50_post_add_retry_failed_job_procedure
-- Indexes and vacuum settings of the queue library's tables, for lanes and fair shares.

CREATE INDEX procrastinate_jobs_by_user
    ON procrastinate_jobs (queue_name, (args ->> 'user_id'), priority)
    WHERE status IN ('todo', 'doing');
-- Every fetch looks for jobs with the same lock, and so does every query about unfinished posts.
CREATE INDEX procrastinate_jobs_by_lock ON procrastinate_jobs (lock)
    WHERE status IN ('todo', 'doing');
-- A fetch reads the jobs of its own lane only, however many are waiting in the others.
CREATE INDEX procrastinate_jobs_by_priority ON procrastinate_jobs (queue_name, priority DESC, id)
    WHERE status = 'todo';
CREATE INDEX procrastinate_jobs_running ON procrastinate_jobs (queue_name, priority)
    WHERE status = 'doing';

-- These tables stay small while their rows change all the time: vacuum by number, not by share.
ALTER TABLE procrastinate_jobs SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 500
);
ALTER TABLE procrastinate_events SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 2000
);
