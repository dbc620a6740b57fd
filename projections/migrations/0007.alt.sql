-- depends: 0006.usage
-- Alternative text: what a photo shows, for those who do not see it.

ALTER TABLE posts ADD COLUMN alt text CHECK (char_length(alt) <= 1500);
