"""The HTTP API: the app, its routes, authentication and problems."""
