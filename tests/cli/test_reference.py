from __future__ import annotations

from pathlib import Path

from saliscope.cli.app import COMMANDS
from saliscope.cli.reference import document
from saliscope.protocol.errors import ERRORS

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "run `python -m saliscope.cli.reference`"


def test_the_page_has_every_command_and_every_exit_status() -> None:
    page = document()
    for command in COMMANDS:
        assert f"## saliscope {command}\n" in page
    for code, (status, advice) in ERRORS.items():
        assert f"| {status} | `{code}` | {advice} |" in page
