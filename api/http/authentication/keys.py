"""Keys: what bearer tokens may be signed with, each with the one algorithm it is for.

A public key is never used as the secret of an HMAC, whatever algorithm a token names: the algorithm
belongs to the key.
"""

import re
from pathlib import Path
from typing import Final, TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from msgspec import Struct

from domain.settings import WrongSettings

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

HMAC: Final = "HS256"
# A tuple: what tokens name as their algorithm need not be hashable.
ASYMMETRIC: Final = ("RS256", "ES256", "EdDSA")
MIN_RSA_BITS: Final = 2048
# A provider publishes a handful; each one without a key id is tried.
MAX_KEYS: Final = 100
_PEM: Final = re.compile("-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


class Key(Struct, frozen=True):
    """One key; `kid` is the id that tokens name it by, None if they need not."""

    algorithm: str
    material: str | PublicKey
    kid: str | None = None


class KeySet:
    """The keys that count at one time. Each change makes a new set."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self._keys = keys
        self._kids = [key.kid for key in keys if key.kid is not None]

    def matching(self, algorithm: object, kid: str | None) -> list[Key]:
        """The keys that a token with this header may be signed with."""
        return [
            key
            for key in self._keys
            if key.algorithm == algorithm and (key.kid is None or kid in (None, key.kid))
        ]

    def has_kid(self, kid: str | None) -> bool:
        """Whether a key of this id is in the set."""
        return kid in self._kids


def secret_keys(*secrets: str | None) -> tuple[Key, ...]:
    """Keys of HS256."""
    return tuple(Key(HMAC, secret) for secret in secrets if secret is not None)


def public_keys(setting: str) -> tuple[Key, ...]:
    r"""The keys of `JWT_PUBLIC_KEY`: PEM, in which `\n` may stand for a new line, or a file of it.

    Raises:
        WrongSettings: there is no key, or one that no token can be signed with.
    """
    text = setting.replace("\\n", "\n") if "-----BEGIN" in setting else _read(Path(setting))
    found = _PEM.findall(text)
    if not found:
        raise _wrong("it holds no PEM")
    return tuple(_public_key(pem) for pem in found)


def keys_of_jwks(document: object) -> tuple[Key, ...]:
    """The keys of a JSON Web Key Set that verify signatures.

    Raises:
        jwt.PyJWTError: it is no key set, or has no key that can be used.
    """
    if not isinstance(document, dict):
        raise jwt.PyJWKSetError("not a JSON object")
    found = jwt.PyJWKSet.from_dict(document).keys[:MAX_KEYS]
    keys = tuple(
        Key(each.algorithm_name, each.key, each.key_id)
        for each in found
        if each.algorithm_name in ASYMMETRIC
        and each.public_key_use in {None, "sig"}
        and algorithm_of(each.key) == each.algorithm_name
    )
    if not keys:
        raise jwt.PyJWKSetError("no key for RS256, ES256 or EdDSA")
    return keys


def algorithm_of(key: object) -> str | None:
    """The algorithm that a public key is for; None if there is none, as for a private one."""
    match key:
        case RSAPublicKey() if key.key_size >= MIN_RSA_BITS:
            return "RS256"
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return "ES256"
        case Ed25519PublicKey():
            return "EdDSA"
        case _:
            return None


def _public_key(pem: str) -> Key:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _wrong("it holds a PEM that is no public key") from error
    algorithm = algorithm_of(key)
    if algorithm is None:
        raise _wrong(f"use RSA of {MIN_RSA_BITS} bits or more, P-256 or Ed25519")
    assert isinstance(key, PublicKey)  # noqa: S101 - it has an algorithm
    return Key(algorithm, key)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError) as error:
        raise _wrong("it is neither PEM nor the path of a file with PEM") from error


def _wrong(reason: str) -> WrongSettings:
    return WrongSettings([f"JWT_PUBLIC_KEY is wrong: {reason}"])
