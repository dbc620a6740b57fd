"""Reading the log: positions, histories of posts, and shards of post ids."""
