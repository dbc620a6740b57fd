"""What a post is: events, decisions, recipes. Pure, except for `event_store`."""
