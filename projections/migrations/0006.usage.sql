-- depends: 0005.queue
-- What each user's posts take up, and how many photos each has uploaded lately.

INSERT INTO projection_positions (projection) VALUES ('usage');

-- A deleted post keeps its row, without variants: deleting does not make room for more uploads
-- within a day. The sizes are by variant, since a newer recipe replaces some of them.
CREATE TABLE usage_posts (
    post_id       uuid        PRIMARY KEY,
    user_id       uuid        NOT NULL,
    status        text        NOT NULL
        CHECK (status IN ('pending', 'processing', 'published', 'failed', 'deleted')),
    file_size     bigint      NOT NULL CHECK (file_size > 0),
    variant_sizes jsonb       NOT NULL,
    variant_bytes bigint      NOT NULL GENERATED ALWAYS AS (sum_of_sizes(variant_sizes)) STORED,
    uploaded_at   timestamptz
);

-- Holds all that is summed, so that a user's thousands of posts are read from the index alone.
CREATE INDEX usage_posts_by_user ON usage_posts (user_id)
    INCLUDE (status, file_size, variant_bytes, uploaded_at);
