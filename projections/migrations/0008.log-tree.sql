-- depends: 0005.placeholders
-- Tamper evidence: a Merkle tree over the whole log (RFC 6962), sealed after the fact, so that
-- appends know nothing of it. projections/log_tree.py hashes the same bytes, independently.

CREATE FUNCTION log_leaf(
    at_position bigint, post_id uuid, version bigint, topic text, state bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT sha256(
        '\x00'::bytea || int8send(at_position) || uuid_send(post_id) || int8send(version)
        || int4send(octet_length(convert_to(topic, 'UTF8'))) || convert_to(topic, 'UTF8') || state
    );
$$;

-- The post and the version are there to name an event that was removed; the hash covers them.
CREATE TABLE log_leaves (
    position           bigint PRIMARY KEY CHECK (position > 0),
    leaf_hash          bytea  NOT NULL CHECK (octet_length(leaf_hash) = 32),
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- `frontier`: the roots of the tree's perfect subtrees, largest first, from which it grows on.
CREATE TABLE log_heads (
    tree_size bigint      PRIMARY KEY CHECK (tree_size > 0),
    position  bigint      NOT NULL UNIQUE CHECK (position >= tree_size),
    root_hash bytea       NOT NULL CHECK (octet_length(root_hash) = 32),
    frontier  bytea       NOT NULL CHECK (octet_length(frontier) % 32 = 0),
    at        timestamptz NOT NULL DEFAULT now()
);

-- How far the log is sealed: one row, whose lock makes any number of sealers take turns.
CREATE TABLE log_sealing (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    tree_size bigint  NOT NULL DEFAULT 0,
    position  bigint  NOT NULL DEFAULT 0
);

INSERT INTO log_sealing DEFAULT VALUES;

CREATE FUNCTION refuse_to_change_seals() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'seals are never changed or removed (% on %)', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END;
$$;

CREATE TRIGGER log_leaves_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON log_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_seals();

CREATE TRIGGER log_heads_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON log_heads
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_seals();
