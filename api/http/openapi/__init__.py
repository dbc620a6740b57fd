"""OpenAPI: the document that describes the API, and the pages that show it."""
