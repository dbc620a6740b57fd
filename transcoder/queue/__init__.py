"""The job queue: its depth, lanes, fair share and connections."""
