"""Audit of the promise: the figures as a table, as JSON, and as a histogram."""

from datetime import datetime
from pathlib import Path

from rich.table import Table

from api.cli.audit_export import progress
from api.cli.audit_reports import console, print_json
from api.cli.audit_session import AuditDesk
from projections.audit.slo import PROMISED_SECONDS, Slo, SloMeter, Spread, measure_slo


async def report_slo(
    desk: AuditDesk,
    *,
    since: datetime | None,
    until: datetime | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure, tell, and draw when asked.

    Raises:
        OSError: the plot cannot be written.
    """
    await desk.record("nova audit slo", since=_text(since), until=_text(until))
    meter = SloMeter()
    with progress() as tell:
        async for meter in measure_slo(desk.connection, since=since, until=until):
            tell(meter.taken)
    slo = meter.result(since=since, until=until)
    if plot is not None:
        _draw(meter, plot)
    if as_json:
        print_json(slo)
    else:
        _show(slo)


def _draw(meter: SloMeter, plot: Path) -> None:
    # Loads slowly, and nobody else needs it.
    from api.cli.audit_plot import draw_histogram  # noqa: PLC0415

    draw_histogram(meter.seconds, promised=PROMISED_SECONDS, file=plot)


def _show(slo: Slo) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("from complete to published", "count", "p50", "p90", "p99", "max"):
        table.add_column(column, justify="left" if not table.columns else "right")
    table.add_row("whole, s", *_cells(slo.complete_to_published))
    for name, spread in slo.stages.items():
        table.add_row(f"  {name.replace('_', ' ')}, s", *_cells(spread))
    for name in slo.not_recorded:
        table.add_row(f"  {name.replace('_', ' ')}", "no event records it")
    console.print(table)
    for limit, share in slo.share_within.items():
        console.print(
            f"within {limit} s: {'nothing measured' if share is None else f'{share:.2%}'}"
        )
    failures = ", ".join(f"{code} {count:,}" for code, count in slo.failures.items())
    console.print(f"failed: {failures or 'none'}; not finished: {slo.unfinished:,}", markup=False)


def _cells(spread: Spread) -> list[str]:
    figures = (spread.p50, spread.p90, spread.p99, spread.max)
    return [f"{spread.count:,}", *("-" if each is None else f"{each:,.3f}" for each in figures)]


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
