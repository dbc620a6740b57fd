"""Objects in the store of a running stack, through the AWS SDK as the services use it."""

from collections.abc import Mapping
from typing import Any

import botocore.session
import stamina
from botocore.config import Config
from botocore.exceptions import ClientError


def s3_client(environ: Mapping[str, str]) -> Any:
    """A client with the endpoint and the credentials of `environ`."""
    return botocore.session.get_session().create_client(
        "s3",
        region_name=environ["S3_REGION"],
        endpoint_url=environ["S3_ENDPOINT_URL"],
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
        config=Config(connect_timeout=5, read_timeout=20, s3={"addressing_style": "path"}),
    )


def put_object(environ: Mapping[str, str], *, bucket: str, key: str, body: bytes) -> None:
    """Store it in a new bucket."""
    client = s3_client(environ)
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key=key, Body=body)
    client.close()


@stamina.retry(on=ClientError, timeout=20)
def get_object(environ: Mapping[str, str], *, bucket: str, key: str) -> bytes:
    """Its bytes; a store that has just started lists its buckets a moment before it serves them."""
    client = s3_client(environ)
    with client.get_object(Bucket=bucket, Key=key)["Body"] as body:
        content: bytes = body.read()
    client.close()
    return content
