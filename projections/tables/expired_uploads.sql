-- Open uploads that expired before this time, oldest first.

CREATE OR REPLACE FUNCTION expired_uploads(before timestamptz, at_most integer)
RETURNS TABLE (post_id uuid) LANGUAGE sql STABLE AS $$
    SELECT upload_sessions.post_id FROM upload_sessions
    WHERE status = 'open' AND expires_at < before
    ORDER BY expires_at LIMIT at_most;
$$;
