"""The log's keys, as the settings and options of a command name them."""

from pathlib import Path
from typing import Annotated

import typer

from domain.settings import WrongSettings
from projections.log_tree.keys import signing_key, verifier_of
from projections.log_tree.notes import Signer, Verifier
from projections.settings import audit_settings

PublicKey = Annotated[
    Path | None,
    typer.Option(
        "--public-key",
        exists=True,
        dir_okay=False,
        help="Key that must have signed it: a verifier key (C2SP), PEM or base64.",
        metavar="FILE",
    ),
]


def log_signer() -> Signer:
    """The key that signs, under the name of the log.

    Raises:
        WrongSettings: there is none, or it is wrong.
    """
    settings = audit_settings()
    if settings.signing_key is None:
        raise WrongSettings(["AUDIT_SIGNING_KEY is not set: it signs checkpoints and proofs"])
    try:
        return Signer(settings.origin, signing_key(settings.signing_key))
    except (ValueError, OSError) as error:
        raise WrongSettings([f"AUDIT_SIGNING_KEY is wrong: {error}"]) from error


def read_verifier(path: Path | None, *, origin: str) -> Verifier | None:
    """The key in a file, which signs under the name `origin` unless it has its own; None for None.

    Raises:
        WrongNote: the file holds no key.
    """
    return verifier_of(path.read_bytes(), origin=origin) if path else None
