"""Ctrl-C while a command waits for the daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from saliscope.cli.guard import INTERRUPTED

from .conftest import FakeClient


@pytest.fixture
def interrupted(run: Callable[..., Result], fake: FakeClient, tmp_path: Path) -> Callable[..., Result]:
    """Runs a command that Ctrl-C ends as soon as the daemon was asked."""
    (tmp_path / "rows.csv").write_text("text,label\na dull film,negative\n")
    failing: Any = fake
    failing.failure = KeyboardInterrupt()
    return run


def test_an_evaluation_with_a_folder_says_how_one_goes_on(interrupted: Any, tmp_path: Path) -> None:
    result = interrupted("evaluate", "--data", str(tmp_path / "rows.csv"), "--out", "found")
    assert result.exit_code == INTERRUPTED
    assert result.stderr.strip() == "stopped; what was found is kept in found, the same command goes on there"


def test_what_keeps_nothing_ends_without_a_word(interrupted: Any, tmp_path: Path) -> None:
    for command in (("evaluate", "--data", str(tmp_path / "rows.csv")), ("explain", "a dull film"), ("predict", "a")):
        result = interrupted(*command)
        assert (result.exit_code, result.stderr.strip(), result.stdout) == (INTERRUPTED, "", "")
