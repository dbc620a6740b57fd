-- The first and last position of the events recorded between two times. Machines' clocks disagree,
-- so positions are not in order of time: it takes the extremes over each hour, two index probes per
-- hour, instead of reading the log.

CREATE OR REPLACE FUNCTION positions_between(since timestamptz, until timestamptz)
RETURNS TABLE (first_position bigint, last_position bigint) LANGUAGE plpgsql STABLE AS $$
DECLARE
    hour    timestamptz := date_trunc('hour', since, 'UTC') - interval '1 hour';
    earlier bigint;
    later   bigint;
BEGIN
    LOOP
        SELECT event_hour(state), notification_id INTO hour, earlier FROM post_events
        WHERE event_hour(state) > hour AND event_hour(state) < until
        ORDER BY event_hour(state), notification_id LIMIT 1;
        EXIT WHEN NOT FOUND;
        SELECT notification_id INTO later FROM post_events
        WHERE event_hour(state) = hour
        ORDER BY event_hour(state) DESC, notification_id DESC LIMIT 1;
        first_position := least(first_position, earlier);
        last_position := greatest(last_position, later);
    END LOOP;
    RETURN NEXT;
END;
$$;
