"""`saliscope methods`."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from click.testing import Result

from saliscope.cli.shapes import (
    MethodsShape,
)

Run = Callable[..., Result]
pytestmark = pytest.mark.usefixtures("folders")


def test_methods_are_listed(run: Run) -> None:
    lines = run("methods").stdout.splitlines()
    assert lines[0] == "occlusion         How far the target falls when a feature is hidden."


def test_one_method_is_described_with_its_parameters(run: Run) -> None:
    output = run("methods", "occlusion").stdout
    assert "  window  1       integer, 1 to 64\n" in output
    assert '  mask    "mask"  mask | unk\n' in output
    assert "window: Tokens at once." in output
    assert "Mind: Hiding a word" in output
    assert '  thermostat  window=3 mask="unk"\n' in output
    assert "formula  φ_i = F(x) - F(x without i)\n" in output
    assert "reading  The paper's.\n" in output


def test_methods_json_has_its_shape(run: Run) -> None:
    assert len(msgspec.json.decode(run("methods", "--json").stdout, type=MethodsShape).methods) == 2
    found = msgspec.json.decode(run("methods", "occlusion", "--json").stdout, type=MethodsShape).methods
    assert [method.name for method in found] == ["occlusion"]


def test_an_unknown_method_lists_the_valid_ones(run: Run) -> None:
    assert "did you mean occlusion?" in run("methods", "oclusion").stderr
    result = run("methods", "nothing-like-it")
    assert "there are occlusion, input-x-gradient" in result.stderr
    assert result.exit_code == 3
