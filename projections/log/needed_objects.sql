-- The objects that the events of these posts refer to, which the janitor must leave alone.
-- A post is settled when no attempt is running that may record another variant. A post with a
-- damaged event never counts as settled, since that event may refer to anything.

CREATE OR REPLACE FUNCTION needed_objects(post_ids uuid[])
RETURNS TABLE (post_id uuid, is_deleted boolean, is_settled boolean, keys text[])
LANGUAGE sql STABLE AS $$
    SELECT event.originator_id,
           bool_or(event.topic = 'post.deleted'),
           (array_agg(event.topic ORDER BY event.originator_version DESC))[1]
               NOT IN ('post.uploaded', 'post.variant_ready', 'post.retried')
               AND bool_and(event_json(event.state) IS NOT NULL),
           coalesce(array_agg(referred.key) FILTER (WHERE referred.key IS NOT NULL), '{}')
    FROM post_events AS event
    LEFT JOIN LATERAL (
        SELECT event_json(event.state) AS state
        WHERE event.topic IN ('post.created', 'post.variant_ready', 'post.reprocessed')
    ) AS decoded ON true
    LEFT JOIN LATERAL (
        SELECT decoded.state ->> 'image_key' AS key
        UNION ALL SELECT decoded.state ->> 'key'
        UNION ALL SELECT decoded.state -> 'variant' ->> 'key'
        UNION ALL SELECT variant ->> 'key'
        FROM jsonb_array_elements(decoded.state -> 'variants') AS variant
    ) AS referred ON referred.key IS NOT NULL
    WHERE event.originator_id = ANY (post_ids)
    GROUP BY event.originator_id;
$$;
