"""The bucket as `nova migrate` leaves it: ours is set, and what operators set stays."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer
from msgspec.structs import replace

from api.stack.seaweedfs import S3Access
from tests.api.stack.objects import s3_client
from transcoder.errors import ObjectStoreUnavailable, UnsuitableObjectStore
from transcoder.object_store import bucket as preparing
from transcoder.object_store.bucket import merged_cors, merged_lifecycle, prepare_bucket
from transcoder.object_store.store_probe import FOLDER
from transcoder.settings import ObjectStoreSettings

pytestmark = pytest.mark.anyio

OPERATORS_RULE = {
    "ID": "expire-old-versions",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 90},
}
OPERATORS_CORS = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://gallery.example"]}


@pytest.fixture
def settings(seaweedfs_server: S3Access) -> ObjectStoreSettings:
    return ObjectStoreSettings(
        bucket=f"test-{uuid4().hex[:12]}",
        endpoint_url=seaweedfs_server.endpoint_url,
        access_key_id=seaweedfs_server.access_key_id,
        secret_access_key=seaweedfs_server.secret_access_key,
    )


@pytest.fixture
def moto() -> Iterator[ObjectStoreSettings]:
    """Moto's S3, which knows every setting of AWS, but neither checksum in HEAD nor its refusal."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield ObjectStoreSettings(
        bucket=f"test-{uuid4().hex[:12]}",
        endpoint_url=f"http://{host}:{port}",
        access_key_id="key",
        secret_access_key="secret",
    )
    server.stop()


def administer(settings: ObjectStoreSettings) -> Any:
    """What an operator uses."""
    return s3_client(
        {
            "S3_REGION": settings.region,
            "S3_ENDPOINT_URL": settings.endpoint_url or "",
            "AWS_ACCESS_KEY_ID": settings.access_key_id or "",
            "AWS_SECRET_ACCESS_KEY": settings.secret_access_key or "",
        }
    )


def rules_of(settings: ObjectStoreSettings) -> dict[str, dict[str, Any]]:
    found = administer(settings).get_bucket_lifecycle_configuration(Bucket=settings.bucket)
    return {rule["ID"]: rule for rule in found["Rules"]}


async def test_a_new_bucket_has_everything_that_the_store_knows(
    settings: ObjectStoreSettings,
) -> None:
    prepared = await prepare_bucket(settings)
    assert prepared.is_new
    assert prepared.changed == ("encryption", "lifecycle", "CORS")
    assert prepared.unknown == ("public access block",)
    unfinished, versions = rules_of(settings).values()
    assert unfinished["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert "Expiration" not in unfinished
    assert versions["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    # No object that is still current expires, ever.
    assert versions["Expiration"] == {"ExpiredObjectDeleteMarker": True}


async def test_a_prepared_bucket_is_left_alone(settings: ObjectStoreSettings) -> None:
    await prepare_bucket(settings)
    again = await prepare_bucket(settings)
    assert (again.is_new, again.changed) == (False, ())
    assert not administer(settings).list_objects_v2(Bucket=settings.bucket, Prefix=FOLDER)[
        "KeyCount"
    ]


async def test_rules_of_operators_stay(settings: ObjectStoreSettings) -> None:
    await prepare_bucket(settings)
    client = administer(settings)
    client.put_bucket_lifecycle_configuration(
        Bucket=settings.bucket, LifecycleConfiguration={"Rules": [OPERATORS_RULE]}
    )
    client.put_bucket_cors(
        Bucket=settings.bucket, CORSConfiguration={"CORSRules": [OPERATORS_CORS]}
    )
    await prepare_bucket(settings, upload_origins=["https://app.example"])
    rules = rules_of(settings)
    assert set(rules) == {"expire-old-versions", "remove-unfinished-uploads"}
    assert rules["expire-old-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 90}
    theirs, ours = client.get_bucket_cors(Bucket=settings.bucket)["CORSRules"]
    assert theirs["AllowedOrigins"] == ["https://gallery.example"]
    assert ours["AllowedOrigins"] == ["https://app.example"]


async def test_a_bucket_is_made_private_where_the_store_can(
    moto: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(*_: object) -> None:
        """Moto fails the probe, and has the settings."""

    monkeypatch.setattr(preparing, "check_store", accept)
    prepared = await prepare_bucket(moto)
    assert prepared.unknown == ()
    found = administer(moto).get_public_access_block(Bucket=moto.bucket)
    assert set(found["PublicAccessBlockConfiguration"].values()) == {True}
    assert (await prepare_bucket(moto)).changed == ()


async def test_the_encryption_that_an_operator_chose_stays(
    moto: ObjectStoreSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(*_: object) -> None:
        """Moto fails the probe, and has the settings."""

    monkeypatch.setattr(preparing, "check_store", accept)
    client = administer(moto)
    client.create_bucket(Bucket=moto.bucket)
    by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/photos"}
    rules = [{"ApplyServerSideEncryptionByDefault": by_key}]
    client.put_bucket_encryption(
        Bucket=moto.bucket, ServerSideEncryptionConfiguration={"Rules": rules}
    )
    assert "encryption" not in (await prepare_bucket(moto)).changed
    found = client.get_bucket_encryption(Bucket=moto.bucket)
    (rule,) = found["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == by_key


async def test_a_store_without_what_publishing_relies_on_is_refused_in_words(
    moto: ObjectStoreSettings,
) -> None:
    # In a region of its own: moto refuses a bucket whose region is not named, as AWS does.
    with pytest.raises(UnsuitableObjectStore) as refused:
        await prepare_bucket(replace(moto, region="eu-central-1"))
    assert str(refused.value) == (
        "this object store cannot be used, because it lacks SHA-256 checksums in HEAD "
        "(ChecksumMode=ENABLED), refusal of bytes with another SHA-256 than x-amz-checksum-sha256"
    )
    client = administer(moto)
    assert client.get_bucket_location(Bucket=moto.bucket)["LocationConstraint"] == "eu-central-1"
    assert not client.list_objects_v2(Bucket=moto.bucket)["KeyCount"]


async def test_a_store_that_is_not_there_is_unavailable() -> None:
    settings = ObjectStoreSettings(bucket="nowhere", endpoint_url="http://127.0.0.1:9")
    settings = replace(settings, access_key_id="key", secret_access_key="secret")
    with pytest.raises(ObjectStoreUnavailable):
        await prepare_bucket(settings)


def test_a_rule_of_ours_is_replaced_where_it_stands() -> None:
    unfinished, versions = merged_lifecycle([])
    other = {"ID": "logs", "Status": "Disabled", "Filter": {"Prefix": "logs/"}}
    changed = {**unfinished, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    assert merged_lifecycle([changed, other]) == [unfinished, other, versions]


def test_an_expiry_of_old_versions_by_an_operator_replaces_ours() -> None:
    ours = merged_lifecycle([])
    assert merged_lifecycle([*ours, OPERATORS_RULE]) == [ours[0], OPERATORS_RULE]


def test_a_rule_with_a_prefix_gets_the_form_that_lists_with_filters_need() -> None:
    old_form = {"ID": "logs", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 3}}
    assert merged_lifecycle([old_form])[0] == {
        "ID": "logs",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 3},
    }


def test_the_cors_rule_of_earlier_versions_is_replaced() -> None:
    (ours,) = merged_cors([], origins=["*"])
    earlier = {name: value for name, value in ours.items() if name != "ID"}
    earlier["AllowedHeaders"] = ["content-type", "if-none-match", "x-amz-checksum-sha256"]
    theirs = {**OPERATORS_CORS}
    assert merged_cors([earlier, theirs], origins=["*"]) == [theirs, ours]
