"""Tables show what a terminal would obey or hide."""

import pytest

from api.cli.output import print_table


def test_control_characters_and_changes_of_direction_are_escaped(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("name",), [("a\x1b[2Jb\r\n\u202egpj.exe Grüße 写真",)])
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["name", r"a\x1b[2Jb\r\n\u202egpj.exe Grüße 写真"]
