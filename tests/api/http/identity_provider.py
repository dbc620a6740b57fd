"""An identity provider: it publishes a key set over TLS, and signs tokens with its keys."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

ISSUER = "https://login.example/"
AUDIENCE = "https://photos.example"


class SigningKey:
    """A private key of the provider, and what it publishes of it."""

    def __init__(self, algorithm: str, *, kid: str | None = None, bits: int = 2048) -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.private: Any
        match algorithm:
            case "RS256":
                self.private = rsa.generate_private_key(65537, bits)
            case "ES256":
                self.private = ec.generate_private_key(ec.SECP256R1())
            case _:
                self.private = ed25519.Ed25519PrivateKey.generate()

    @property
    def pem(self) -> str:
        """The public key."""
        public = self.private.public_key()
        pem: bytes = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return pem.decode()

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key, as the key set holds it."""
        algorithm: Any = get_default_algorithms()[self.algorithm]
        jwk = json.loads(algorithm.to_jwk(self.private.public_key()))
        named = {} if self.kid is None else {"kid": self.kid}
        return {**jwk, **named, "alg": self.algorithm, "use": "sig"}

    def sign(self, **changes: object) -> str:
        """A token with the standard claims and these; None leaves a claim out."""
        headers = {} if self.kid is None else {"kid": self.kid}
        return jwt.encode(
            claims_with(**changes), self.private, algorithm=self.algorithm, headers=headers
        )


def claims_with(**changes: object) -> dict[str, Any]:
    """Standard claims of a provider, changed; None leaves a claim out."""
    now = int(time.time())
    standard = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(uuid4()),
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in {**standard, **changes}.items() if value is not None}


class IdentityProvider:
    """What the server publishes; `body` overrides the keys, and `answering` may be cleared."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = list(keys)
        self.fetches = 0
        self.status = 200
        self.body: bytes | None = None
        self.answering = threading.Event()
        self.answering.set()
        self.asked = threading.Event()
        self.url = ""

    def document(self) -> bytes:
        """The key set."""
        if self.body is not None:
            return self.body
        return json.dumps({"keys": [key.jwk for key in self.keys]}).encode()


@contextmanager
def serving(provider: IdentityProvider, authority: trustme.CA) -> Iterator[None]:
    """Serve the key set over TLS."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            provider.fetches += 1
            provider.asked.set()
            provider.answering.wait(timeout=30)
            self.send_response(provider.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(provider.document())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        provider.url = f"https://localhost:{server.server_port}/jwks.json"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            provider.answering.set()
            server.shutdown()
            thread.join()
