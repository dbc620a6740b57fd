"""The read tables, one module each: which rows an event adds, changes or removes."""
