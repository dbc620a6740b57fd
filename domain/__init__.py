"""What a post is: events, decisions, recipes, and the one writer. No I/O of its own."""
