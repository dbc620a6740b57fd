"""HEIC and AVIF: libheif opens and decodes them, and what it does not tell is checked here."""
