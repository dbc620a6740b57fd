"""Ports: whoever chooses one has it, long before anybody listens there."""

import subprocess
import sys
from pathlib import Path

from api.stack.ports import choose_ports

ELSEWHERE = """
import sys
from pathlib import Path
from api.stack.ports import choose_ports
print(choose_ports(["api"], Path(sys.argv[1])))
"""


def test_the_same_stack_gets_the_same_ports_again(tmp_path: Path) -> None:
    chosen = choose_ports(["api", "postgres"], tmp_path / "ports")
    assert choose_ports(["api", "postgres"], tmp_path / "ports") == chosen


def test_nobody_else_is_given_a_port_that_was_chosen_and_is_not_used_yet(tmp_path: Path) -> None:
    chosen = choose_ports(["api"], tmp_path / "ports")
    # Somebody else who remembers the same one.
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path / "ports")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() != str(chosen)


def test_what_is_chosen_twice_here_differs(tmp_path: Path) -> None:
    both = [choose_ports(["api"], tmp_path / name)["api"] for name in ("one", "other")]
    assert both[0] != both[1]
