"""Which parts are embedded, and the environment of our services."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from api.stack.errors import MissingSettings
from api.stack.seaweedfs import REGION, S3Access
from domain.settings import WrongSettings

LOOPBACK: Final = "127.0.0.1"
_ALL_INTERFACES: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared, not bound
BUCKET: Final = "nova-photos"
_ENVIRONMENTS: Final = frozenset({"development", "production"})
_PRODUCTION_NEEDS: Final = (
    "DATABASE_URL",
    "S3_BUCKET_NAME",
    "CLOUDFRONT_URL",
    "JWT_SECRET",
)


class Found(Struct):
    """Where the embedded servers came up; nothing where one is not needed."""

    database_url: str | None = None
    s3: S3Access | None = None


def what_is_set(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that have a value: an empty one counts as not set, as in the services."""
    return {name: value.strip() for name, value in environ.items() if value.strip()}


def is_production(environ: Mapping[str, str]) -> bool:
    """Whether nothing may stand in for what is missing."""
    return environ.get("APP_ENV") == "production"


def wants_postgres(environ: Mapping[str, str]) -> bool:
    """Whether the embedded PostgreSQL is needed."""
    return "DATABASE_URL" not in environ


def wants_seaweedfs(environ: Mapping[str, str]) -> bool:
    """Whether the embedded S3 store is needed."""
    return (
        not is_production(environ) and not {"S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"} & environ.keys()
    )


def reachable_host(listening_host: str) -> str:
    """Where to reach what listens there: all interfaces (0.0.0.0) are no address to call."""
    return LOOPBACK if listening_host in _ALL_INTERFACES else listening_host


def check(environ: Mapping[str, str]) -> None:
    """See that nothing is missing that the stack cannot stand in for.

    Raises:
        WrongSettings: APP_ENV is neither of the two that there are.
        MissingSettings: names every variable to set.
    """
    if environ.get("APP_ENV", "development") not in _ENVIRONMENTS:
        raise WrongSettings([f"APP_ENV is wrong: it is one of {', '.join(sorted(_ENVIRONMENTS))}"])
    if is_production(environ):
        _require(environ, _PRODUCTION_NEEDS, reason="APP_ENV=production embeds nothing")
    if "S3_ENDPOINT_URL" in environ or "AWS_ACCESS_KEY_ID" in environ:
        needed = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        if "S3_ENDPOINT_URL" not in environ:
            # Bucket names are global on AWS: our default one would be somebody else's.
            needed.append("S3_BUCKET_NAME")
        _require(environ, tuple(needed), reason="an S3 store of your own needs more")


def services_environ(
    environ: Mapping[str, str],
    *,
    found: Found,
    jwt_secret: str,
    port: int,
    temporary: Path,
) -> dict[str, str]:
    """What the services run with; what `environ` says wins, but for the port and the tmp folder."""
    defaults = {
        "APP_ENV": "development",
        "APP_HOST": LOOPBACK,
        # Nobody stands in front of it.
        "APP_SHUTDOWN_DELAY_SECONDS": "0",
        "JWT_SECRET": jwt_secret,
        "S3_BUCKET_NAME": BUCKET,
        "S3_REGION": REGION,
    }
    if found.database_url is not None:
        defaults["DATABASE_URL"] = found.database_url
    if found.s3 is not None:
        defaults |= {
            "S3_ENDPOINT_URL": found.s3.endpoint_url,
            "AWS_ACCESS_KEY_ID": found.s3.access_key_id,
            "AWS_SECRET_ACCESS_KEY": found.s3.secret_access_key,
        }
    # Whatever proxy there is: the servers of this machine are not behind it.
    directly = {
        name: ",".join(filter(None, (environ.get(name), LOOPBACK)))
        for name in ("NO_PROXY", "no_proxy")
    }
    own = {"APP_PORT": str(port), "TMPDIR": str(temporary)}
    return defaults | dict(environ) | directly | own


def _require(environ: Mapping[str, str], names: tuple[str, ...], *, reason: str) -> None:
    missing = tuple(name for name in names if name not in environ)
    if missing:
        raise MissingSettings(missing, reason=reason)
