-- depends: 0004.rescue-posts
-- What an app shows in a photo's place until the photo is there.

ALTER TABLE posts ADD COLUMN blurhash text, ADD COLUMN dominant_colour text;
