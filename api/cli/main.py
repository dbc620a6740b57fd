"""The `nova` command: its verbs, and the module that each is loaded from."""

from collections.abc import Mapping
from shutil import get_terminal_size
from typing import ClassVar, Final

import typer

from api.cli.lazy import LazyGroup
from api.cli.version import Version
from transcoder.processes.prctl import hide_memory

MAX_WIDTH: Final = 80
EXIT_CODES: Final = (
    "Exit codes: 0 done; 1 done, and something is wrong, or it could not be done; "
    "2 wrong use or settings; 130 interrupted."
)


class _Nova(LazyGroup):
    # Those with a folder of their own, the processes, which never guess, and what needs no stack.
    without_stack: ClassVar[frozenset[str]] = frozenset(
        {"dev", "demo", "token", "env", "render", "api", "worker", "projector"}
    )
    verbs: ClassVar[Mapping[str, str]] = {
        "dev": "api.cli.dev:dev",
        "demo": "api.cli.demo:demo",
        "token": "api.cli.token:token",
        "env": "api.cli.env:env",
        "render": "api.cli.render:render",
        "api": "api.cli.api:api",
        "worker": "api.cli.worker:worker",
        "projector": "api.cli.projector:projector",
        "migrate": "api.cli.migrate:migrate",
        "reprocess": "api.cli.reprocess:reprocess",
        "janitor": "api.cli.janitor:janitor",
    }


class _Uploads(LazyGroup):
    verbs: ClassVar[Mapping[str, str]] = {
        "adopt": "api.cli.uploads:adopt",
    }


class _Jobs(LazyGroup):
    verbs: ClassVar[Mapping[str, str]] = {
        "list": "api.cli.jobs:list_jobs",
        "show": "api.cli.jobs:show",
        "retry": "api.cli.jobs:retry",
        "cancel": "api.cli.jobs:cancel",
    }


class _Projections(LazyGroup):
    verbs: ClassVar[Mapping[str, str]] = {
        "status": "api.cli.projections:status",
        "verify": "api.cli.projections:verify",
        "rebuild": "api.cli.projections:rebuild",
        "retry": "api.cli.projections:retry",
        "skip": "api.cli.projections:skip",
    }


class _Audit(LazyGroup):
    without_stack: ClassVar[frozenset[str]] = frozenset({"check"})
    verbs: ClassVar[Mapping[str, str]] = {
        "post": "api.cli.audit_post:post",
        "events": "api.cli.audit:events",
        "stats": "api.cli.audit:stats",
        "accesses": "api.cli.audit:accesses",
        "export": "api.cli.audit_export:export",
        "slo": "api.cli.audit_slo:slo",
        "verify": "api.cli.audit_verify:verify",
        "checkpoint": "api.cli.audit_proofs:checkpoint",
        "report": "api.cli.audit_report:report",
        "prove": "api.cli.audit_proofs:prove",
        "check": "api.cli.audit_proofs:check",
        "media": "api.cli.audit_media:media",
    }


def _group(name: str, verbs: type[LazyGroup], description: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        cls=verbs,
        help=description,
        epilog=EXIT_CODES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        # Plain text: the same in a pipe, with NO_COLOR and in a narrow terminal.
        rich_markup_mode=None,
        context_settings={
            "help_option_names": ["-h", "--help"],
            # Click's own width is never below 50.
            "terminal_width": min(MAX_WIDTH, get_terminal_size().columns),
        },
    )


app = _group("nova", _Nova, "Publish photos as web-ready variants. Every step is an event.")
app.add_typer(_group("uploads", _Uploads, "Adopt originals that a restored log does not know."))
app.add_typer(_group("jobs", _Jobs, "List, retry and cancel the work on unpublished posts."))
app.add_typer(_group("projections", _Projections, "Watch, verify and rebuild the read tables."))
app.add_typer(_group("audit", _Audit, "Query the event log. Every query is recorded."))


@app.callback()
def _nova(*, version: Version = False) -> None:  # its option ends the command
    pass


def main() -> None:
    """Run the command line; it and every process of ours, which all start here, hold secrets."""
    hide_memory()
    app(prog_name="nova")
