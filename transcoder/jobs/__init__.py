"""Jobs: one attempt at the work on one post, for each kind of job."""
