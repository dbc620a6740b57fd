-- The leaf hash of one row of the log. projections/log_tree/tree.py hashes the same bytes
-- independently, so that an auditor need not trust the database's own arithmetic.

CREATE OR REPLACE FUNCTION log_leaf(
    at_position bigint, post_id uuid, version bigint, topic text, state bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT sha256(
        '\x00'::bytea || int8send(at_position) || uuid_send(post_id) || int8send(version)
        || int4send(octet_length(convert_to(topic, 'UTF8'))) || convert_to(topic, 'UTF8') || state
    );
$$;
