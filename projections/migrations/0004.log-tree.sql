-- depends: 0001.event-log
-- Tamper evidence: a Merkle tree over the log (RFC 6962). It is built after the fact, so appends
-- pay nothing for it.

-- Post and version name an event that was removed from the log; the hash covers them.
CREATE TABLE log_leaves (
    position           bigint PRIMARY KEY CHECK (position > 0),
    leaf_hash          bytea  NOT NULL CHECK (octet_length(leaf_hash) = 32),
    originator_id      uuid   NOT NULL,
    originator_version bigint NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- `frontier`: the roots of the tree's perfect subtrees, largest first, from which it grows on.
CREATE TABLE log_checkpoints (
    tree_size bigint      PRIMARY KEY CHECK (tree_size > 0),
    position  bigint      NOT NULL UNIQUE CHECK (position >= tree_size),
    root_hash bytea       NOT NULL CHECK (octet_length(root_hash) = 32),
    frontier  bytea       NOT NULL CHECK (octet_length(frontier) % 32 = 0),
    at        timestamptz NOT NULL DEFAULT now()
);

-- How far the log is sealed: one row, whose lock admits one sealer at a time.
CREATE TABLE log_sealing (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    tree_size bigint  NOT NULL DEFAULT 0,
    position  bigint  NOT NULL DEFAULT 0
);

INSERT INTO log_sealing DEFAULT VALUES;

CREATE TRIGGER log_leaves_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON log_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TRIGGER log_checkpoints_are_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON log_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
