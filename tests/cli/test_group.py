"""The group of all commands: its help, and what it says to mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("folders")


def test_without_arguments_the_help_is_shown(run: Run) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout == run("--help").stdout
    assert "explain" in result.stdout


def test_an_unknown_command_gets_a_suggestion(run: Run) -> None:
    result = run("explan")
    assert result.exit_code == 2
    assert "did you mean `saliscope explain`?" in result.stderr


def test_a_usage_error_is_one_line_and_where_to_look(run: Run) -> None:
    result = run("explain", "--colour", "x")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: no such option")
    assert "`saliscope explain --help` lists what it takes." in result.stderr
    assert json.loads(run("explain", "x", "--json", "--no-such").stdout)["error"]["code"] == "bad_request"


def test_a_parameter_needs_a_name_and_a_value(run: Run) -> None:
    result = run("explain", "x", "-p", "window")
    assert result.exit_code == 2
    assert "'window' is not key=value" in result.stderr
