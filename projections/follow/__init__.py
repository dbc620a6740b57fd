"""Following the log: projections, the runner, leadership and failures."""
