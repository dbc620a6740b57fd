"""Problems: what went wrong, as RFC 9457 problem details with a page for each type."""
