-- depends: 0004.log-tree
-- Checkpoints are signed when they are stored, and the leaves of one post are found.

-- Ed25519, of the text of a c2sp.org/tlog-checkpoint; null where the projector had no key.
ALTER TABLE log_checkpoints ADD COLUMN signature bytea CHECK (octet_length(signature) = 64);

CREATE INDEX log_checkpoints_signed ON log_checkpoints (position) WHERE signature IS NOT NULL;

-- Finds those of a post whose events were removed.
CREATE INDEX log_leaves_by_post ON log_leaves (originator_id);
