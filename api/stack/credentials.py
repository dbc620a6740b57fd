"""The secrets of a stack folder: generated once, readable by the owner only."""

import base64
import hmac
import os
import secrets
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets of one folder."""

    postgres_password: str
    s3_access_key_id: str
    s3_secret_access_key: str
    # Signs requests between the parts of SeaweedFS.
    seaweedfs_signing_key: str
    jwt_secret: str

    def audit_keys(self) -> dict[str, str]:
        """The keys that sign and verify the log's checkpoints; derived, so they need no storing."""
        private = hmac.digest(self.jwt_secret.encode(), b"audit signing key", "sha256")
        public = Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        keys = {"AUDIT_SIGNING_KEY": private, "AUDIT_PUBLIC_KEY": public}
        return {name: base64.b64encode(key).decode() for name, key in keys.items()}


def load_credentials(path: Path) -> Credentials:
    """Load the credentials in `path`, generated on first use. Safe for concurrent processes."""
    try:
        return _read(path)
    except FileNotFoundError:
        _write_once(path, _generate())
        return _read(path)


def _generate() -> Credentials:
    return Credentials(
        postgres_password=secrets.token_urlsafe(32),
        s3_access_key_id=f"NOVA{secrets.token_hex(8).upper()}",
        s3_secret_access_key=secrets.token_urlsafe(32),
        seaweedfs_signing_key=secrets.token_urlsafe(48),
        jwt_secret=secrets.token_urlsafe(48),
    )


def _read(path: Path) -> Credentials:
    return msgspec.json.decode(path.read_bytes(), type=Credentials)


def _write_once(path: Path, credentials: Credentials) -> None:
    # Write a draft, then link it: no process reads half a file, and the first of several wins.
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(credentials)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
