"""Logs: what people wrote and what they photographed is never in them."""

import os
import pty
import subprocess
import sys

SCRIPT = """
import stamina, structlog
from api.logs import configure_logs
configure_logs()

@stamina.retry(on=ValueError, attempts=2, wait_initial=0.01, wait_jitter=0)
def save(caption):
    raise ValueError(1)

try:
    save("a secret caption")
except ValueError:
    structlog.get_logger("api").exception("it_broke", post_id="7")
"""


def test_neither_retries_nor_tracebacks_log_arguments_or_local_variables() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert '"event":"retry"' in done.stderr
    assert '"event":"it_broke"' in done.stderr
    assert "ValueError" in done.stderr
    assert "a secret caption" not in done.stderr


def test_a_terminal_shows_no_local_variables_either() -> None:
    terminal, stderr = pty.openpty()
    subprocess.run([sys.executable, "-c", SCRIPT], stderr=stderr, check=True, timeout=60)
    os.close(stderr)
    shown = os.read(terminal, 100_000).decode()
    os.close(terminal)
    assert "it_broke" in shown
    assert "ValueError" in shown
    assert "a secret caption" not in shown


LOSING = """
import logging, psycopg
from procrastinate.exceptions import ConnectorException
from api.logs import configure_logs
configure_logs()

try:
    try:
        raise psycopg.OperationalError("connection refused")
    except psycopg.OperationalError as error:
        raise ConnectorException from error
except ConnectorException:
    logging.getLogger("procrastinate.worker").exception("it stopped")
"""


def test_a_library_that_loses_the_database_says_so_in_one_short_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOSING], capture_output=True, text=True, check=True, timeout=60
    )
    (line,) = done.stderr.splitlines()
    assert '"event":"it stopped"' in line
    assert '"error":"connection refused"' in line
    assert "frames" not in line
