"""Secret leaks: what no process may log, whatever fails."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

# A caption of some posts: logs must not contain what users write.
CAPTION = "Two of us by the lake, for nobody else"
# Upload tokens and those of users are JSON Web Tokens, of which the first part is no secret.
_SHAPES = re.compile(r"X-Amz-Signature|X-Amz-Security-Token|Bearer [\w-]+\.|eyJ[\w-]+\.eyJ[\w-]+\.")


def assert_nothing_secret(said: str, environ: Mapping[str, str], *, speaker: object) -> None:
    """Assert that output contains no captions, keys, passwords, tokens or signed URLs."""
    secrets = {environ[name] for name in ("JWT_SECRET", "AWS_SECRET_ACCESS_KEY")}
    password = urlsplit(environ["DATABASE_URL"]).password
    assert password
    # Show only what is found, not the lines around it, to keep it out of a second log.
    assert not [secret for secret in (*secrets, password, CAPTION) if secret in said], speaker
    assert not _SHAPES.search(said), speaker
