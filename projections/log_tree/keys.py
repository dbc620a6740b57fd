"""The keys of the log: what the settings and the files of auditors hold."""

import base64
import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from domain.settings import WrongSettings
from projections.log_tree.notes import Signer, Verifier, WrongNote, parse_verifier
from projections.settings import AuditSettings, LogNameSettings

_PEM: Final = b"-----BEGIN"
_VKEY: Final = re.compile(r"[^\s+]+\+[0-9a-f]{8}\+\S+")


def signing_key(setting: str) -> Ed25519PrivateKey:
    """The key of AUDIT_SIGNING_KEY: the path of a PEM file, or base64 of one or of 32 raw bytes.

    Raises:
        ValueError: it is neither.
        OSError: the file cannot be read.
    """
    if setting.endswith(".pem") or Path(setting).is_file():
        content = Path(setting).read_bytes()
    else:
        content = base64.b64decode(setting, validate=True)
    if not content.startswith(_PEM):
        return Ed25519PrivateKey.from_private_bytes(content)
    key = load_pem_private_key(content, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("not an Ed25519 key")  # noqa: TRY004 - the setting is wrong, not the call
    return key


def open_signer(settings: AuditSettings) -> Signer | None:
    """The key that signs checkpoints, if the settings name one.

    Raises:
        WrongSettings: they name something else.
    """
    if settings.signing_key is None:
        return None
    try:
        return Signer(settings.log.origin, signing_key(settings.signing_key))
    except (ValueError, OSError) as error:
        raise WrongSettings([f"AUDIT_SIGNING_KEY is wrong: {error}"]) from error


def open_verifier(settings: LogNameSettings) -> Verifier | None:
    """The key that verifies checkpoints, if the settings name one.

    Raises:
        WrongSettings: they name something else.
    """
    if settings.public_key is None:
        return None
    try:
        content = settings.public_key.encode()
        if settings.public_key.endswith(".pem"):
            content = Path(settings.public_key).read_bytes()
        return verifier_of(content, origin=settings.origin)
    except (WrongNote, OSError) as error:
        raise WrongSettings([f"AUDIT_PUBLIC_KEY is wrong: {error}"]) from error


def verifier_of(content: bytes, *, origin: str) -> Verifier:
    """The key of a file: a vkey, a PEM public key, or base64 of its 32 bytes.

    `origin` is the name under which the last two sign; a vkey holds its own.

    Raises:
        WrongNote: it is none of them.
    """
    try:
        if not content.startswith(_PEM):
            text = content.decode().strip()
            if _VKEY.fullmatch(text):
                return parse_verifier(text)
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
            return Verifier(origin, key)
        loaded = load_pem_public_key(content)
    except ValueError as error:
        raise WrongNote(f"not a public key: {error}") from error
    if not isinstance(loaded, Ed25519PublicKey):
        raise WrongNote("not an Ed25519 key")
    return Verifier(origin, loaded)
