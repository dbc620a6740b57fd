"""The same tests on every supported version of PostgreSQL: `just postgres-versions`."""
