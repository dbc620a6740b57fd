-- depends: 0005.placeholders
-- Where a projection stopped, and which events operators told it to leave out.

CREATE TABLE projection_failures (
    projection text        PRIMARY KEY REFERENCES projection_positions,
    position   bigint      NOT NULL CHECK (position > 0),
    error      text        NOT NULL,
    failed_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE projection_skips (
    projection text        NOT NULL REFERENCES projection_positions,
    position   bigint      NOT NULL CHECK (position > 0),
    error      text        NOT NULL,
    reason     text        NOT NULL,
    skipped_by text        NOT NULL,
    skipped_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, position)
);
