"""A QR code in the terminal, so that a phone opens an address without typing it."""

from io import StringIO

from api.cli.extras import import_extra
from api.cli.output import console


def print_qr_code(url: str) -> None:
    """Print it if standard output is a terminal that is wide enough.

    Raises:
        MissingExtra: the extra `local` is not installed.
    """
    if not console.is_terminal:
        return
    segno = import_extra("segno", extra="local", needed_for="a QR code")
    drawn = StringIO()
    segno.make(url, error="l", micro=False).terminal(out=drawn, compact=True)
    lines = drawn.getvalue().splitlines()
    if max(map(len, lines)) <= console.width:
        # Scanners want dark on light, whatever the colours of the terminal.
        console.print("\n".join(lines), style="white on black", markup=False)
