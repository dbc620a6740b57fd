-- depends: 0001.post-events
-- The read tables: what the API answers from, and what the log can always rebuild.

-- How far each projection has followed the log.
CREATE TABLE projection_positions (
    projection text        PRIMARY KEY,
    position   bigint      NOT NULL DEFAULT 0 CHECK (position >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO projection_positions (projection) VALUES ('posts');

-- Posts that can be read; a deleted post has no row.
CREATE TABLE posts (
    id              uuid        PRIMARY KEY,
    version         bigint      NOT NULL CHECK (version > 0),
    user_id         uuid        NOT NULL,
    caption         text        CHECK (char_length(caption) <= 2200),
    status          text        NOT NULL
        CHECK (status IN ('pending', 'processing', 'published', 'failed')),
    image_key       text        NOT NULL,
    failure_code    text,
    failure_message text,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    published_at    timestamptz,
    CONSTRAINT published_posts_have_a_time
        CHECK ((status = 'published') = (published_at IS NOT NULL)),
    CONSTRAINT failed_posts_have_a_reason
        CHECK ((status = 'failed') = (failure_code IS NOT NULL)
           AND (failure_code IS NULL) = (failure_message IS NULL))
);

CREATE INDEX posts_by_user ON posts (user_id, created_at DESC, id DESC);
CREATE INDEX posts_published ON posts (created_at DESC, id DESC) WHERE status = 'published';

CREATE TABLE post_images (
    post_id      uuid    NOT NULL REFERENCES posts ON DELETE CASCADE,
    variant      text    NOT NULL CHECK (variant IN ('thumbnail', 'medium', 'original')),
    key          text    NOT NULL UNIQUE,
    content_type text    NOT NULL,
    width        integer NOT NULL CHECK (width > 0),
    height       integer NOT NULL CHECK (height > 0),
    file_size    bigint  NOT NULL CHECK (file_size > 0),
    sha256       text    NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    PRIMARY KEY (post_id, variant)
);

-- Engagement counters belong to other writers: the projection adds the row once, nothing resets it.
CREATE TABLE post_metadata (
    post_id       uuid   PRIMARY KEY,
    like_count    bigint NOT NULL DEFAULT 0 CHECK (like_count >= 0),
    comment_count bigint NOT NULL DEFAULT 0 CHECK (comment_count >= 0),
    view_count    bigint NOT NULL DEFAULT 0 CHECK (view_count >= 0)
);

CREATE TABLE upload_sessions (
    post_id      uuid        PRIMARY KEY,
    status       text        NOT NULL CHECK (status IN ('open', 'completed', 'closed')),
    image_key    text        NOT NULL UNIQUE,
    content_type text        NOT NULL,
    file_size    bigint      NOT NULL CHECK (file_size > 0),
    sha256       text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at)
);

CREATE INDEX upload_sessions_open ON upload_sessions (expires_at) WHERE status = 'open';

-- Uploads whose time is over; the periodic job of the worker closes them.
CREATE FUNCTION expired_uploads(before timestamptz, at_most integer)
RETURNS TABLE (post_id uuid) LANGUAGE sql STABLE AS $$
    SELECT upload_sessions.post_id FROM upload_sessions
    WHERE status = 'open' AND expires_at < before
    ORDER BY expires_at LIMIT at_most;
$$;
