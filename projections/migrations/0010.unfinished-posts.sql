-- depends: 0009.cheaper-checks
-- What operators and the rescue of forgotten posts look for, however many posts are published.

CREATE INDEX posts_unfinished ON posts (updated_at, id) WHERE status IN ('processing', 'failed');
