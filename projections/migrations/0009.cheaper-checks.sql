-- depends: 0008.log-tree
-- The same check of checksums without a regular expression, which took half the time of an insert.

ALTER TABLE post_images
    DROP CONSTRAINT post_images_sha256_check,
    ADD CONSTRAINT post_images_sha256_check CHECK (
        length(sha256) = 64 AND sha256 = encode(decode(sha256, 'hex'), 'hex')
    );

ALTER TABLE upload_sessions
    DROP CONSTRAINT upload_sessions_sha256_check,
    ADD CONSTRAINT upload_sessions_sha256_check CHECK (
        length(sha256) = 64 AND sha256 = encode(decode(sha256, 'hex'), 'hex')
    );
