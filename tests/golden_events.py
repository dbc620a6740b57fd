"""The golden events: every shape in which an event was ever stored, byte for byte."""

from pathlib import Path

FOLDER = Path(__file__).parent / "domain" / "event_store" / "golden"


def golden_states() -> dict[str, bytes]:
    """Each stored state by its topic and schema version, such as `post.created.v1`."""
    return {path.stem: path.read_bytes().strip() for path in FOLDER.glob("*.json")}
