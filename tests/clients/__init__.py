"""Tools and clients of app developers, at work on the OpenAPI document; they come from npm."""
