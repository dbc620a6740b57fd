-- The mean time between two posts that leave a full transcode queue: what the last twenty took,
-- divided by how many jobs are running. Null while none runs or none has been published.

CREATE OR REPLACE FUNCTION seconds_per_post() RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT avg(
        (stages ->> 'download_ms')::integer + (stages ->> 'transcode_ms')::integer
        + (stages ->> 'upload_ms')::integer
    ) / 1000 / nullif((
        SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'transcode' AND status = 'doing'
    ), 0)
    FROM (
        SELECT event_json(state) -> 'stages' AS stages FROM post_events
        WHERE topic = 'post.published' ORDER BY notification_id DESC LIMIT 20
    ) AS latest;
$$;
