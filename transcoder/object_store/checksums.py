"""Checksums: SHA-256 in hex, as the service writes it, and in base64, as S3 does."""

import base64


def to_base64(sha256_hex: str) -> str:
    """As S3 writes it."""
    return base64.b64encode(bytes.fromhex(sha256_hex)).decode()


def to_hex(sha256_base64: str) -> str:
    """As the service writes it."""
    return base64.b64decode(sha256_base64).hex()
