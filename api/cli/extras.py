"""Optional dependencies: what production does not install."""

from importlib import import_module
from types import ModuleType


class MissingExtra(Exception):
    """A command needs packages that are not installed; the message says how to install them."""

    def __init__(self, extra: str, *, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs more: pip install 'nova-publishing[{extra}]'")
        self.extra = extra


def import_extra(module: str, *, extra: str, needed_for: str) -> ModuleType:
    """Import a module that only this extra brings.

    Raises:
        MissingExtra: the extra is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(extra, needed_for=needed_for) from error
