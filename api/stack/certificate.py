"""The certificate with which the parts of SeaweedFS know each other: a new one for every run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from msgspec import Struct

_VALID_FOR: Final = timedelta(days=3650)
# Clocks are set back now and then, while we run.
_VALID_SINCE: Final = timedelta(days=1)


class Certificate(Struct, frozen=True):
    """PEM files: who holds the key is trusted, because the certificate is its own authority."""

    certificate: Path
    key: Path


def create_certificate(folder: Path) -> Certificate:
    """Make one (10 ms), its files in `folder` readable by the owner only."""
    key = ec.generate_private_key(ec.SECP256R1())
    files = Certificate(folder / "grpc.crt", folder / "grpc.key")
    _write_private(files.key, _key_pem(key))
    _write_private(files.certificate, _sign(key).public_bytes(serialization.Encoding.PEM))
    return files


def _sign(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nova-seaweedfs")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID_SINCE)
        .not_valid_after(now + _VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
