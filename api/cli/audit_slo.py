"""`nova audit slo`: how long posts took, measured from the events, as a table, JSON or a plot."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from api.cli.errors import friendly_errors
from api.cli.extras import import_extra
from api.cli.options import AsJson, Since, Until, writable_file
from api.cli.output import console, print_json, print_table
from api.cli.session import AuditSession, run_audited
from projections.audit.slo import (
    PROMISED_SECONDS,
    Histogram,
    Runs,
    Slo,
    Spread,
    measure_runs,
    slo_of,
)

PLOT_FORMATS: Final = (".svg", ".png", ".pdf")
BARS: Final = 60


def _plot_file(text: str) -> Path:
    path = writable_file(text)
    if path.suffix not in PLOT_FORMATS:
        raise typer.BadParameter(f"use one of {', '.join(PLOT_FORMATS)}")
    return path


@friendly_errors()
def slo(
    since: Since = None,
    until: Until = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            parser=_plot_file, metavar="FILE", help="Plot a histogram to a .svg, .png or .pdf file."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Measure the time from complete to published, from events alone."""
    figures = plot and import_extra("matplotlib.figure", extra="plot", needed_for="--plot")

    async def query(session: AuditSession) -> Runs:
        await session.record("nova audit slo", since=_text(since), until=_text(until))
        return await measure_runs(session.connection, since=since, until=until)

    runs = run_audited(query)
    measured = slo_of(runs, since=since, until=until)
    if plot and figures:
        figure = figures.Figure(figsize=(8, 4), layout="constrained")
        draw_histogram(figure.subplots(), runs.published)
        figure.savefig(plot)
    if as_json:
        print_json(measured)
    else:
        _print(measured)


def draw_histogram(axes: Any, taken: Histogram) -> None:  # noqa: ANN401 - of an extra
    """Draw posts by the time they took; the last bar holds all that took longer."""
    end = 1.2 * max(PROMISED_SECONDS)
    seconds = [min(each / 1000, end) for each in taken]
    axes.hist(seconds, weights=list(taken.values()), bins=BARS, range=(0, end), color="#3b6ea5")
    for limit in PROMISED_SECONDS:
        axes.axvline(limit, color="#b03a2e", linestyle="--", label=f"promise: {limit:g} s")
    axes.set_title(f"{sum(taken.values()):,} posts by seconds from complete to published")
    axes.set_xlabel("seconds")
    axes.set_ylabel("posts")
    axes.legend()


def _print(measured: Slo) -> None:
    rows = [("complete to published", *_cells(measured.complete_to_published))]
    for name, spread in measured.stages.items():
        rows.append((f"  {name.replace('_', ' ')}", *_cells(spread)))
    print_table(("seconds", "count", "p50", "p90", "p99", "max"), rows)
    for limit, share in measured.share_within.items():
        shown = "no posts" if share is None else f"{share:.2%}"
        console.print(f"within {limit} s: {shown}")
    failures = ", ".join(f"{code} {count:,}" for code, count in measured.failures.items())
    console.print(f"failed: {failures or 'none'}", markup=False)
    console.print(f"unfinished: {measured.unfinished:,}")
    not_recorded = ", ".join(name.replace("_", " ") for name in measured.not_recorded)
    console.print(f"measured up to position: {measured.measured_up_to:,}")
    console.print(f"not recorded in events: {not_recorded or 'none'}")


def _cells(spread: Spread) -> tuple[str, ...]:
    figures = (spread.p50, spread.p90, spread.p99, spread.max)
    return (f"{spread.count:,}", *("-" if each is None else f"{each:,.3f}" for each in figures))


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
