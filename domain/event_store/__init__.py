"""The event store: the only code here that knows psycopg and the event-sourcing library."""
