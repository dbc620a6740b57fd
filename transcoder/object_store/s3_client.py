"""Clients of an S3 store: aioboto3's, with the project's timeouts, and its errors as ours."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import aioboto3
from aiohttp import ClientError as HttpError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from transcoder.errors import ObjectStoreUnavailable
from transcoder.object_store.content import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from transcoder.settings import ObjectStoreSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

CONNECTIONS: Final = 64
MISSING: Final = frozenset({"404", "NoSuchKey"})


def open_session(settings: ObjectStoreSettings) -> aioboto3.Session:
    """A session with the keys of `settings`; without them, those that the SDK finds."""
    return aioboto3.Session(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        region_name=settings.region,
    )


def connect(
    session: aioboto3.Session, settings: ObjectStoreSettings, *, endpoint_url: str | None = None
) -> "AbstractAsyncContextManager[S3Client]":
    """A client of the store of `settings`, at `endpoint_url` if that is given.

    One attempt per call: callers decide whether to retry, by whether a client is waiting.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if is_path_style(settings) else "virtual"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        retries={"total_max_attempts": 1},
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        read_timeout=READ_TIMEOUT_SECONDS,
        max_pool_connections=CONNECTIONS,
    )
    # aioboto3 has no types for the session; this is a context manager of an S3Client.
    opening: Any = session.client(
        "s3", endpoint_url=endpoint_url or settings.endpoint_url, config=config
    )
    return cast("AbstractAsyncContextManager[S3Client]", opening)


def is_path_style(settings: ObjectStoreSettings) -> bool:
    """Whether the bucket's name is part of the path; AWS's certificates fit no name with dots."""
    return settings.endpoint_url is not None or "." in settings.bucket


@contextmanager
def translated_errors(operation: str, key: str) -> Iterator[None]:
    """Raise errors of the store as ours.

    Raises:
        ObjectStoreUnavailable: with the store's error as its cause.
    """
    try:
        yield
    except (ClientError, BotoCoreError, HttpError, TimeoutError, OSError) as error:
        raise ObjectStoreUnavailable(operation=operation, key=key) from error


def error_code(error: ClientError) -> str:
    """The store's code of an error; empty without one."""
    return str(error.response.get("Error", {}).get("Code", ""))
