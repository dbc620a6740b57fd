-- depends: 0011.lanes
-- What the janitor must leave alone: the objects that the events of these posts refer to. A post is
-- settled when no attempt is under way that may record another variant.

CREATE FUNCTION needed_objects(post_ids uuid[])
RETURNS TABLE (post_id uuid, is_deleted boolean, is_settled boolean, keys text[])
LANGUAGE sql STABLE AS $$
    SELECT event.originator_id,
           bool_or(event.topic = 'post.deleted'),
           (array_agg(event.topic ORDER BY event.originator_version DESC))[1]
               NOT IN ('post.uploaded', 'post.variant_ready', 'post.retried'),
           array_agg(made.key) FILTER (WHERE made.key IS NOT NULL)
    FROM post_events AS event
    LEFT JOIN LATERAL (
        SELECT convert_from(event.state, 'UTF8')::jsonb AS state
        WHERE event.topic IN ('post.created', 'post.variant_ready', 'post.reprocessed')
    ) AS told ON true
    LEFT JOIN LATERAL (
        SELECT told.state ->> 'image_key' AS key
        UNION ALL SELECT told.state ->> 'key'
        UNION ALL SELECT variant ->> 'key'
        FROM jsonb_array_elements(told.state -> 'variants') AS variant
    ) AS made ON made.key IS NOT NULL
    WHERE event.originator_id = ANY (post_ids)
    GROUP BY event.originator_id;
$$;
