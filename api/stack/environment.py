"""Which servers to embed, and the environment of the services."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from api.stack.addresses import LOOPBACK, check_addresses
from api.stack.credentials import Credentials
from api.stack.errors import MissingSettings
from api.stack.postgres import DatabaseAccess
from api.stack.seaweedfs import REGION, S3Access
from domain.settings import WrongSettings

OWNER_URL: Final = "DATABASE_OWNER_URL"
BUCKET: Final = "nova-photos"
_ENVIRONMENTS: Final = frozenset({"development", "production"})
_PRODUCTION_NEEDS: Final = (
    "DATABASE_URL",
    "S3_BUCKET_NAME",
    "CLOUDFRONT_URL",
    "JWT_SECRET",
)
_API_SECRETS: Final = frozenset({"JWT_SECRET", "JWT_PREVIOUS_SECRET", "REDIS_URL"})
_STORE_SECRETS: Final = frozenset(
    {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
)
_LOG_SECRETS: Final = frozenset({"AUDIT_SIGNING_KEY"})
_UNNEEDED: Final[Mapping[str, frozenset[str]]] = {
    "migrate": _API_SECRETS | _LOG_SECRETS,
    "api": _LOG_SECRETS,
    "worker": _API_SECRETS | _LOG_SECRETS,
    "projector": _API_SECRETS | _STORE_SECRETS,
}


class EmbeddedServers(Struct):
    """Addresses of the embedded servers; None for one that is not needed."""

    database: DatabaseAccess | None = None
    s3: S3Access | None = None
    # Where other devices reach the store; None if only this machine can.
    public_s3_url: str | None = None


def drop_unset(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that have a value: an empty one counts as unset, as in the services."""
    return {name: value.strip() for name, value in environ.items() if value.strip()}


def is_production(environ: Mapping[str, str]) -> bool:
    """Whether the environment is production, where nothing is embedded."""
    return environ.get("APP_ENV") == "production"


def wants_postgres(environ: Mapping[str, str]) -> bool:
    """Whether the embedded PostgreSQL is needed."""
    return "DATABASE_URL" not in environ


def wants_seaweedfs(environ: Mapping[str, str]) -> bool:
    """Whether the embedded S3 store is needed."""
    return (
        not is_production(environ) and not {"S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"} & environ.keys()
    )


def check_environ(environ: Mapping[str, str]) -> None:
    """Check that every variable is set that the stack cannot provide.

    Raises:
        WrongSettings: APP_ENV is neither development nor production, or an address is wrong.
        MissingSettings: names every variable to set.
    """
    if environ.get("APP_ENV", "development") not in _ENVIRONMENTS:
        raise WrongSettings([f"APP_ENV is wrong: use one of {', '.join(sorted(_ENVIRONMENTS))}"])
    check_addresses(environ)
    if is_production(environ):
        _require(environ, _PRODUCTION_NEEDS, reason="APP_ENV=production embeds no servers")
    if "S3_ENDPOINT_URL" in environ or "AWS_ACCESS_KEY_ID" in environ:
        needed = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        if "S3_ENDPOINT_URL" not in environ:
            # Bucket names are global on AWS, so there is no default.
            needed.append("S3_BUCKET_NAME")
        _require(environ, tuple(needed), reason="your own S3 store needs more settings")


def services_environ(
    environ: Mapping[str, str],
    *,
    servers: EmbeddedServers,
    credentials: Credentials,
    port: int,
    public_url: str | None,
    temporary: Path,
) -> dict[str, str]:
    """The environment of the services: `environ`, with defaults for what it does not set.

    It never names the owner of the tables, which no service needs. The port and the folder for
    temporary files always override it.
    """
    defaults = {
        "APP_ENV": "development",
        "APP_HOST": LOOPBACK,
        # There is no load balancer to wait for.
        "APP_SHUTDOWN_DELAY_SECONDS": "0",
        "JWT_SECRET": credentials.jwt_secret,
        "S3_BUCKET_NAME": BUCKET,
        "S3_REGION": REGION,
    }
    if not {"AUDIT_SIGNING_KEY", "AUDIT_PUBLIC_KEY"} & environ.keys():
        defaults |= credentials.audit_keys()
    if servers.database is not None:
        defaults["DATABASE_URL"] = servers.database.services_url
    if servers.s3 is not None:
        defaults |= {
            "S3_ENDPOINT_URL": servers.s3.endpoint_url,
            "AWS_ACCESS_KEY_ID": servers.s3.access_key_id,
            "AWS_SECRET_ACCESS_KEY": servers.s3.secret_access_key,
        }
    if public_url is not None:
        defaults["PUBLIC_URL"] = public_url
    if servers.public_s3_url is not None:
        defaults["S3_PUBLIC_ENDPOINT_URL"] = servers.public_s3_url
    # Servers on this machine are never behind a proxy.
    directly = {
        name: ",".join(filter(None, (environ.get(name), LOOPBACK)))
        for name in ("NO_PROXY", "no_proxy")
    }
    own = {"APP_PORT": str(port), "TMPDIR": str(temporary)}
    variables = defaults | dict(environ) | directly | own
    return {name: value for name, value in variables.items() if name != OWNER_URL}


def owner_environ(environ: Mapping[str, str], servers: EmbeddedServers) -> dict[str, str]:
    """What the commands that create or replace tables need besides the services' environment."""
    if servers.database is not None:
        return {OWNER_URL: servers.database.owner_url}
    return {OWNER_URL: environ[OWNER_URL]} if OWNER_URL in environ else {}


def needed_by(service: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without the secrets that this service does not need."""
    unneeded = _UNNEEDED.get(service, frozenset())
    return {name: value for name, value in environ.items() if name not in unneeded}


def _require(environ: Mapping[str, str], names: tuple[str, ...], *, reason: str) -> None:
    missing = tuple(name for name in names if name not in environ)
    if missing:
        raise MissingSettings(missing, reason=reason)
