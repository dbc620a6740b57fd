"""Secrecy: what no process may say, whatever trouble it is in."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

# Given to some posts: what people write under their photos is nobody's business either.
CAPTION = "Two of us by the lake, for nobody else"
# Upload tokens and those of users are JSON Web Tokens, of which the first part is no secret.
_SHAPES = re.compile(r"X-Amz-Signature|X-Amz-Security-Token|Bearer [\w-]+\.|eyJ[\w-]+\.eyJ[\w-]+\.")


def assert_nothing_secret(said: str, environ: Mapping[str, str], *, speaker: object) -> None:
    """There are no captions, keys, passwords, tokens or signed URLs in what somebody said."""
    secrets = {environ[name] for name in ("JWT_SECRET", "AWS_SECRET_ACCESS_KEY")}
    password = urlsplit(environ["DATABASE_URL"]).password
    assert password
    # What is found is told without the lines around it, so that it is in one log only.
    assert not [secret for secret in (*secrets, password, CAPTION) if secret in said], speaker
    assert not _SHAPES.search(said), speaker
