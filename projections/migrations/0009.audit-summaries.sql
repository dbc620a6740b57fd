-- depends: 0008.signed-checkpoints
-- Audit questions about the whole log, answered without reading it: what happened to each post, and
-- how long each run took. `nova projections verify audit` compares both with the log.

INSERT INTO projection_positions (projection) VALUES ('audit');

-- How many events of each type a post has, and its status.
CREATE TABLE audit_posts (
    post_id         uuid     PRIMARY KEY,
    status          text     NOT NULL
        CHECK (status IN ('pending', 'processing', 'published', 'failed', 'deleted')),
    created         integer  NOT NULL,
    captioned       integer  NOT NULL,
    uploaded        integer  NOT NULL,
    variant_ready   integer  NOT NULL,
    published       integer  NOT NULL,
    failed          integer  NOT NULL,
    retried         integer  NOT NULL,
    reprocessed     integer  NOT NULL,
    not_reprocessed integer  NOT NULL,
    deleted         integer  NOT NULL
);

-- A run is the way from an upload or a retry to its end; `version` is that of the event it began
-- with. `outcome` is `published`, `deleted` or the code of a failure; null while it goes on.
CREATE TABLE audit_runs (
    post_id      uuid        NOT NULL,
    version      bigint      NOT NULL,
    started_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    outcome      text,
    queue_ms     integer,
    download_ms  integer,
    transcode_ms integer,
    upload_ms    integer,
    PRIMARY KEY (post_id, version),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);

-- Hold all that is aggregated, so that a span of time is read from an index alone.
CREATE INDEX audit_runs_by_end ON audit_runs (ended_at)
    INCLUDE (started_at, outcome, queue_ms, download_ms, transcode_ms, upload_ms);
CREATE INDEX audit_runs_by_start ON audit_runs (started_at) INCLUDE (ended_at);

-- The positions of a user's events are read from the key alone, however many there are.
CREATE UNIQUE INDEX post_events_key ON post_events (originator_id, originator_version)
    INCLUDE (notification_id, topic);
ALTER TABLE post_events
    DROP CONSTRAINT post_events_pkey,
    ADD CONSTRAINT post_events_pkey PRIMARY KEY USING INDEX post_events_key;
