"""The certificate with which the parts of SeaweedFS authenticate each other: new for every run."""

from pathlib import Path

from msgspec import Struct


class Certificate(Struct, frozen=True):
    """PEM files: a certificate, its key, and the authority that signed nothing else."""

    authority: Path
    certificate: Path
    key: Path


def create_certificate(folder: Path) -> Certificate:
    """Create one, in files in `folder` that only the owner can read."""
    # Part of the extra `local`, which a stack on servers of your own does not need.
    import trustme  # noqa: PLC0415

    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    files = Certificate(folder / "grpc-ca.crt", folder / "grpc.crt", folder / "grpc.key")
    _write_private(files.authority, authority.cert_pem.bytes())
    _write_private(files.certificate, issued.cert_chain_pems[0].bytes())
    _write_private(files.key, issued.private_key_pem.bytes())
    return files


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
