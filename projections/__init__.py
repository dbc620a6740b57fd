"""Read tables and the runner that follows the log; the SQL migrations."""
