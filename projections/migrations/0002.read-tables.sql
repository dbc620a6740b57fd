-- depends: 0001.event-log
-- The read tables: what the API answers from, and what the log can always rebuild.

-- How far each projection has followed the log.
CREATE TABLE projection_positions (
    projection text        PRIMARY KEY,
    position   bigint      NOT NULL DEFAULT 0 CHECK (position >= 0),
    updated_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO projection_positions (projection) VALUES ('posts');

-- The event that stopped a projection.
CREATE TABLE projection_failures (
    projection text        PRIMARY KEY REFERENCES projection_positions,
    position   bigint      NOT NULL CHECK (position > 0),
    error      text        NOT NULL,
    failed_at  timestamptz NOT NULL DEFAULT now()
);

-- The events that operators told a projection to skip.
CREATE TABLE projection_skips (
    projection text        NOT NULL REFERENCES projection_positions,
    position   bigint      NOT NULL CHECK (position > 0),
    error      text        NOT NULL,
    reason     text        NOT NULL,
    skipped_by text        NOT NULL,
    skipped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, position)
);

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
    -- What an app shows in the photo's place while the photo loads.
    blurhash        text,
    dominant_colour text,
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
-- Operators and the rescue of posts read these, however many posts are published.
CREATE INDEX posts_unfinished ON posts (updated_at, id) WHERE status IN ('processing', 'failed');

-- Which variants a post has depends on the recipe version: the log says, not a list here.
CREATE TABLE post_images (
    post_id      uuid    NOT NULL REFERENCES posts ON DELETE CASCADE,
    variant      text    NOT NULL CHECK (variant <> ''),
    key          text    NOT NULL UNIQUE,
    content_type text    NOT NULL,
    width        integer NOT NULL CHECK (width > 0),
    height       integer NOT NULL CHECK (height > 0),
    file_size    bigint  NOT NULL CHECK (file_size > 0),
    -- A regular expression would take half the time of an insert.
    sha256       text    NOT NULL
        CHECK (length(sha256) = 64 AND sha256 = encode(decode(sha256, 'hex'), 'hex')),
    PRIMARY KEY (post_id, variant)
);

-- Engagement counters have other writers: the projection adds the row once, nothing resets it.
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
    sha256       text        NOT NULL
        CHECK (length(sha256) = 64 AND sha256 = encode(decode(sha256, 'hex'), 'hex')),
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL CHECK (expires_at > created_at)
);

CREATE INDEX upload_sessions_open ON upload_sessions (expires_at) WHERE status = 'open';
