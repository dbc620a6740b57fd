"""Crafted tokens: what an attacker, a careless provider or another service may send."""

import base64
import hashlib
import hmac
import json
from typing import Any, Final
from uuid import uuid4

from jwt.algorithms import get_default_algorithms

from tests.api.http.identity_provider import SigningKey, claims_with

OWNER: Final = "5f3759df-0000-4000-8000-000000000001"
NOW: Final = claims_with()["iat"]
DAY: Final = 86_400
WRONG_ALGORITHMS: Final[tuple[object, ...]] = (
    *("none", "None", "nOnE", "", "HS384", "RS512", "PS256"),
    *(["RS256"], {}, 7, None, True),
)

# Claims that are signed with the right key, and still refused.
REFUSED_CLAIMS: Final[dict[str, dict[str, Any]]] = {
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is a number": {"sub": 7},
    "a subject that is a list": {"sub": [OWNER]},
    "a subject that is an object": {"sub": {"id": OWNER}},
    "a subject of half a character": {"sub": "\ud800"},
    "a subject of a megabyte": {"sub": "a" * 256},
    "no expiry": {"exp": None},
    "an expiry that is text": {"exp": str(NOW + 60)},
    "an expiry that is a word": {"exp": "never"},
    "an expiry that is a list": {"exp": [NOW + 60]},
    "an expiry that is true": {"exp": True},
    "an expiry that is negative": {"exp": -1},
    "an expiry with 400 digits": {"exp": 10**400},
    "an expiry of 1e308": {"exp": 1e308},
    "an expiry that is not a number": {"exp": float("nan")},
    "an expiry that is infinite": {"exp": float("inf")},
    "an expiry in ten years": {"exp": NOW + 3650 * DAY},
    "an expiry that is past": {"exp": NOW - 60},
    "issued ten years ago": {"iat": NOW - 3650 * DAY},
    "issued in an hour": {"iat": NOW + 3600},
    "issued at a word": {"iat": "yesterday"},
    "issued at an object": {"iat": {}},
    "valid in an hour": {"nbf": NOW + 3600},
    "valid from a word": {"nbf": "tomorrow"},
    "no audience": {"aud": None},
    "another audience": {"aud": "https://other.example"},
    "the audience of upload tokens": {"aud": "nova:upload"},
    "audiences without ours": {"aud": ["https://other.example", "nova:upload"]},
    "an audience that is a number": {"aud": 7},
    "an audience that is an object": {"aud": {"https://photos.example": 1}},
    "no issuer": {"iss": None},
    "another issuer": {"iss": "https://evil.example/"},
    "the issuer without its slash": {"iss": "https://login.example"},
    "a role that does not exist": {"role": "root"},
    "a role that is an object": {"role": {"operator": True}},
    "a role that is a number": {"role": 1},
    "a role of another case": {"role": "Operator"},
    "an identifier that is a list": {"jti": ["a"]},
}

# Claims that say nothing about whether the token is valid.
IGNORED_CLAIMS: Final[dict[str, dict[str, Any]]] = {
    "extras that are a list": {"extras": ["a"]},
    "extras that are text": {"extras": "a"},
    "extras that are an object": {"extras": {"role": "operator"}},
    "claims nested a hundred deep": {"deep": json.loads("[" * 100 + "]" * 100)},
    "a subject of the provider's own": {"sub": "auth0|5f7c8e"},
    "a subject that is markup": {"sub": "<script>' or 1=1 --"},
    "roles of other services": {"role": ["offline_access", {}, None, 7]},
    "no time of issue": {"iat": None},
    "issued two seconds ahead": {"iat": NOW + 2},
    "an expiry with a fraction": {"exp": NOW + 60.5},
    "an expiry that has just passed": {"exp": NOW - 5},
    "ours among other audiences": {"aud": ["https://other.example", "https://photos.example"]},
}


def forged_tokens(key: SigningKey) -> dict[str, str]:
    """Tokens that nobody who has `key` signed, and damaged ones."""
    token = key.sign(sub=OWNER)
    header, payload, signature = token.split(".")
    return {
        "nothing": "",
        "a word": "nonsense",
        "two parts": f"{header}.{payload}",
        "four parts": f"{token}.{signature}",
        "no signature": f"{header}.{payload}.",
        "another signature": f"{header}.{payload}.{encoded(b'x' * 256)}",
        "a signature that is not base64": f"{header}.{payload}.{signature[:-2]}!!",
        "another payload": f"{header}.{encoded(claims_with())}.{signature}",
        "text behind it": f"{token} x",
        "a megabyte": token + "A" * 1_000_000,
        "a header nested 100,000 deep": f"{encoded(b'[' * 100_000)}.{payload}.{signature}",
        "a header that is a list": f"{encoded([])}.{payload}.{signature}",
        "a header that is not UTF-8": f"{encoded(bytes([255]))}.{payload}.{signature}",
        "a header without an algorithm": f"{encoded({})}.{payload}.{signature}",
        **{
            f"algorithm {name}": f"{encoded({'alg': name, 'typ': 'JWT'})}.{payload}."
            for name in WRONG_ALGORITHMS
        },
        "a key id that is a list": f"{encoded({'alg': key.algorithm, 'kid': []})}.{payload}.x",
        "a path as key id": unsigned(payload, alg=key.algorithm, kid="../../dev/null"),
        "a key set of the sender": unsigned(payload, alg=key.algorithm, jku="https://evil.example"),
        "a key of the sender": unsigned(payload, alg=key.algorithm, jwk=key.jwk),
        "a critical extension": unsigned(payload, alg=key.algorithm, crit=["exp"], exp=1),
        "a detached payload": unsigned(payload, alg=key.algorithm, b64=False, crit=["b64"]),
        "the public key as a secret": hmac_token(key.pem),
        "the public key as a secret, trimmed": hmac_token(key.pem.strip()),
        "an empty secret": hmac_token(""),
        "another key of the kind": SigningKey(key.algorithm, kid=key.kid).sign(sub=OWNER),
        "a payload that is a list": signed_payload(key, b"[]"),
        "a payload that is not JSON": signed_payload(key, b"{"),
        "a payload that is not UTF-8": signed_payload(key, b'{"sub": "\xff"}'),
        "a payload nested 2,000 deep": signed_payload(key, b'{"a":' * 1000 + b"[" * 1000),
        "an expiry of 5,000 digits": signed_payload(key, b'{"sub":"a","exp":' + b"9" * 5000 + b"}"),
    }


def encoded(part: object) -> str:
    """One part of a token."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(payload: str, **header: object) -> str:
    """A token with this header and a signature of nothing."""
    return f"{encoded(header)}.{payload}.{encoded(b'x' * 64)}"


def signed_payload(key: SigningKey, payload: bytes) -> str:
    """Any bytes, signed as the provider signs tokens."""
    header = {"alg": key.algorithm, "typ": "JWT"} | ({} if key.kid is None else {"kid": key.kid})
    signed = f"{encoded(header)}.{encoded(payload)}"
    algorithm: Any = get_default_algorithms()[key.algorithm]
    signature = algorithm.sign(signed.encode(), key.private)
    return f"{signed}.{encoded(signature)}"


def hmac_token(secret: str) -> str:
    """A token whose signature is an HMAC, made by hand: the library refuses such secrets."""
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded(claims_with(sub=str(uuid4())))}"
    signature = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{encoded(signature)}"
