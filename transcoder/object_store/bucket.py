"""The bucket at this version: created, private, with our rules beside those of its operators.

Everything is set by its name: of lists, only the rules with our ids are replaced, and what an
operator has chosen (a key for encryption, another expiry of old versions) stays.
"""

from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError
from msgspec import Struct

from transcoder.object_store.protocol import OWNER_HEADER
from transcoder.object_store.s3_client import (
    MISSING,
    connect,
    error_code,
    open_session,
    translated_errors,
)
from transcoder.object_store.store_probe import check_store
from transcoder.settings import ObjectStoreSettings

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client
    from types_aiobotocore_s3.literals import BucketLocationConstraintType

AWS_DEFAULT_REGION: Final = "us-east-1"
UNFINISHED_UPLOAD_DAYS: Final = 7
OLD_VERSION_DAYS: Final = 30

Rule = dict[str, Any]

_EARLIER_UPLOAD_HEADERS: Final = ["content-type", "if-none-match", "x-amz-checksum-sha256"]
_UPLOAD_HEADERS: Final = [*_EARLIER_UPLOAD_HEADERS, OWNER_HEADER]
_UNFINISHED_UPLOADS: Final[Rule] = {
    "ID": "remove-unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": UNFINISHED_UPLOAD_DAYS},
}
_OLD_VERSIONS: Final[Rule] = {
    "ID": "nova-remove-old-versions",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": OLD_VERSION_DAYS},
    "Expiration": {"ExpiredObjectDeleteMarker": True},
}
_PUBLIC_ACCESS: Final = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
_ENCRYPTION: Final = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
# What a store answers for something that it does not have, and for what is not set yet.
_UNKNOWN: Final = frozenset({"NotImplemented", "MethodNotAllowed", "UnsupportedOperation"})
_UNSET: Final = frozenset(
    {
        "NoSuchCORSConfiguration",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)


class PreparedBucket(Struct, frozen=True, kw_only=True):
    """What was done: the settings that were changed, and those that the store does not know."""

    is_new: bool
    changed: tuple[str, ...]
    unknown: tuple[str, ...]


async def prepare_bucket(
    settings: ObjectStoreSettings, *, upload_origins: Sequence[str] = ("*",)
) -> PreparedBucket:
    """Bring the bucket of `settings` to this version. Safe to run at any time.

    Args:
        settings: where the bucket is.
        upload_origins: the origins of web pages that may upload to it; `*` is any.

    Raises:
        ObjectStoreUnavailable: the store did not answer, or refused.
        UnsuitableObjectStore: the store lacks what publishing relies on.
    """
    async with connect(open_session(settings), settings) as client:
        with translated_errors("prepare", settings.bucket):
            is_new = await _create(client, bucket=settings.bucket, region=settings.region)
            await check_store(client, settings.bucket)
            bucket = _Bucket(client, settings.bucket)
            await bucket.keep_private()
            await bucket.encrypt()
            await bucket.set_lifecycle()
            await bucket.set_cors(upload_origins)
    return PreparedBucket(
        is_new=is_new, changed=tuple(bucket.changed), unknown=tuple(bucket.unknown)
    )


class _Bucket:
    """The settings of one bucket; collects what it changed, and what the store does not know."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self._name = name
        self.changed: list[str] = []
        self.unknown: list[str] = []

    async def keep_private(self) -> None:
        """Block every way of making objects public."""
        found = await self._read(
            "public access block", self._client.get_public_access_block(Bucket=self._name)
        )
        if found is None or found.get("PublicAccessBlockConfiguration") == _PUBLIC_ACCESS:
            return
        setting = self._client.put_public_access_block(
            Bucket=self._name, PublicAccessBlockConfiguration=cast("Any", _PUBLIC_ACCESS)
        )
        await self._set("public access block", setting)

    async def encrypt(self) -> None:
        """Encrypt by default, unless an operator has chosen how."""
        found = await self._read(
            "encryption", self._client.get_bucket_encryption(Bucket=self._name)
        )
        if found is None or found.get("ServerSideEncryptionConfiguration", {}).get("Rules"):
            return
        setting = self._client.put_bucket_encryption(
            Bucket=self._name, ServerSideEncryptionConfiguration=cast("Any", _ENCRYPTION)
        )
        await self._set("encryption", setting)

    async def set_lifecycle(self) -> None:
        """Remove unfinished uploads, and old versions where no other rule does."""
        found = await self._read(
            "lifecycle", self._client.get_bucket_lifecycle_configuration(Bucket=self._name)
        )
        if found is None:
            return
        rules = found.get("Rules", [])
        merged = merged_lifecycle(rules)
        if merged == rules:
            return
        kept = {
            name: found[name] for name in ("TransitionDefaultMinimumObjectSize",) if name in found
        }
        setting = self._client.put_bucket_lifecycle_configuration(
            Bucket=self._name, LifecycleConfiguration={"Rules": cast("Any", merged)}, **kept
        )
        await self._set("lifecycle", setting)

    async def set_cors(self, origins: Sequence[str]) -> None:
        """Let web pages of `origins` upload."""
        found = await self._read("CORS", self._client.get_bucket_cors(Bucket=self._name))
        if found is None:
            return
        rules = found.get("CORSRules", [])
        merged = merged_cors(rules, origins=origins)
        if merged == rules:
            return
        setting = self._client.put_bucket_cors(
            Bucket=self._name, CORSConfiguration={"CORSRules": cast("Any", merged)}
        )
        await self._set("CORS", setting)

    async def _read(self, setting: str, reading: Awaitable[Any]) -> dict[str, Any] | None:
        """What is set, which may be nothing; None if the store does not know the setting."""
        try:
            return dict(await reading)
        except ClientError as error:
            if error_code(error) in _UNSET:
                return {}
            if error_code(error) not in _UNKNOWN:
                raise
            self.unknown.append(setting)
            return None

    async def _set(self, setting: str, changing: Awaitable[object]) -> None:
        try:
            await changing
        except ClientError as error:
            if error_code(error) not in _UNKNOWN:
                raise
            self.unknown.append(setting)
        else:
            self.changed.append(setting)


def merged_lifecycle(rules: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """`rules` of a lifecycle with ours: each of ours where it was, or at the end.

    Old versions get no rule of ours if another one removes them.
    """
    ours = [_UNFINISHED_UPLOADS]
    others = [rule for rule in rules if rule.get("ID") != _OLD_VERSIONS["ID"]]
    if not any("NoncurrentVersionExpiration" in rule for rule in others):
        ours.append(_OLD_VERSIONS)
    return _merged([_with_filter(rule) for rule in rules], ours, dropped={_OLD_VERSIONS["ID"]})


def merged_cors(rules: Sequence[Mapping[str, Any]], *, origins: Sequence[str]) -> list[Rule]:
    """`rules` of CORS with ours, which lets web pages of `origins` upload."""
    ours = {
        "ID": "nova-uploads",
        "AllowedMethods": ["PUT"],
        "AllowedOrigins": list(origins),
        "AllowedHeaders": _UPLOAD_HEADERS,
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3600,
    }
    return _merged([dict(rule) for rule in rules if not _is_earlier(rule)], [ours])


def _merged(
    rules: Sequence[Rule], ours: Sequence[Rule], *, dropped: frozenset[str] | set[str] = frozenset()
) -> list[Rule]:
    by_id = {rule["ID"]: rule for rule in ours}
    kept = [
        by_id.pop(str(rule.get("ID")), rule)
        for rule in rules
        if rule.get("ID") in by_id or rule.get("ID") not in dropped
    ]
    return [*kept, *by_id.values()]


def _with_filter(rule: Mapping[str, Any]) -> Rule:
    """A rule with a filter, as ours: S3 refuses them beside rules that have a prefix instead."""
    if "Filter" in rule or "Prefix" not in rule:
        return dict(rule)
    others = {name: value for name, value in rule.items() if name != "Prefix"}
    return {**others, "Filter": {"Prefix": rule["Prefix"]}}


def _is_earlier(rule: Mapping[str, Any]) -> bool:
    """Whether it is our rule of earlier versions, which had no id."""
    return "ID" not in rule and rule.get("AllowedHeaders") == _EARLIER_UPLOAD_HEADERS


async def _create(client: "S3Client", *, bucket: str, region: str) -> bool:
    """Create the bucket unless it is there; whether it was missing."""
    try:
        await client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error_code(error) not in MISSING:
            raise
    else:
        return False
    if region == AWS_DEFAULT_REGION:
        await client.create_bucket(Bucket=bucket)
        return True
    # AWS requires the constraint for every other region, and rejects it for this one.
    constraint = cast("BucketLocationConstraintType", region)
    await client.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": constraint}
    )
    return True
