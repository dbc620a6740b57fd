"""The log's keys, as the settings and options of a command name them."""

from pathlib import Path
from typing import Annotated

import typer

from domain.settings import WrongSettings
from projections.log_tree.keys import open_signer, open_verifier, verifier_of
from projections.log_tree.notes import Signer, Verifier
from projections.settings import audit_settings

PublicKey = Annotated[
    Path | None,
    typer.Option(
        "--public-key",
        exists=True,
        dir_okay=False,
        help="Key that must have signed it, as a verifier key (C2SP), PEM or base64.",
        metavar="FILE",
    ),
]


def log_signer() -> Signer:
    """The key of the settings that signs.

    Raises:
        WrongSettings: there is none, or it is wrong.
    """
    signer = open_signer(audit_settings())
    if signer is None:
        raise WrongSettings(["AUDIT_SIGNING_KEY is not set: it signs checkpoints and proofs"])
    return signer


def log_verifier(path: Path | None) -> Verifier | None:
    """The key of a file, or else of the settings, which may name the one that signs only.

    Raises:
        WrongNote: the file holds no key.
        WrongSettings: a setting is wrong.
    """
    settings = audit_settings()
    if path is not None:
        return read_verifier(path, origin=settings.log.origin)
    signer = open_signer(settings)
    return open_verifier(settings.log) or (signer.verifier() if signer else None)


def read_verifier(path: Path | None, *, origin: str) -> Verifier | None:
    """The key in a file, which signs under the name `origin` unless it has its own; None for None.

    Raises:
        WrongNote: the file holds no key.
    """
    return verifier_of(path.read_bytes(), origin=origin) if path else None
