"""The audit trail: the log by post, person, kind and time, and what follows from it."""
