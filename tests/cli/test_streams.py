"""Commands whose stdin, stdout or terminal is not what one would wish; each in a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from saliscope.cli.spinner import Spinner


def shell(tmp_path: Path, line: str) -> subprocess.CompletedProcess[str]:
    """A line of sh in which `$S` is saliscope, without a daemon."""
    return subprocess.run(
        ["sh", "-c", line],
        capture_output=True, text=True, check=False,
        env={
            **os.environ, "S": f"{sys.executable} -m saliscope.cli",
            "SALISCOPE_RUNTIME_DIR": f"{tmp_path}/r", "SALISCOPE_CACHE_DIR": f"{tmp_path}/c",
        },
    )  # fmt: skip


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["status", "status --json", "--help", "completion bash"])
def test_an_output_for_which_there_is_no_room_is_said_in_a_line(tmp_path: Path, command: str) -> None:
    done = shell(tmp_path, f"$S {command} > /dev/full")
    assert done.returncode == 2
    first, advice = done.stderr.splitlines()
    assert first == "error: cannot write the output: No space left on device; make room, or write it elsewhere"
    assert advice.startswith("  ")


def test_streams_that_were_closed_are_empty_ones(tmp_path: Path) -> None:
    silent = shell(tmp_path, "$S status >&-")
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")
    told = shell(tmp_path, "$S predict - <&-")
    assert told.returncode == 2
    assert told.stderr.startswith("error: texts: stdin has no line that is not blank")
    lost = shell(tmp_path, "$S predict - </dev/null 2>&-")
    assert (lost.returncode, lost.stdout) == (2, "")


def test_a_group_without_a_command_shows_its_help_and_fails(tmp_path: Path) -> None:
    done = shell(tmp_path, "$S jobs")
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: saliscope jobs [OPTIONS] COMMAND")
    assert "error" not in done.stderr


@pytest.mark.parametrize(
    ("option", "says"),
    [("--top foo", "'foo' is no whole number"), ("--max-ms soon", "'soon' is no number"), ("--seed 1.5", "no whole")],
)
def test_what_is_no_number_is_called_so(tmp_path: Path, option: str, says: str) -> None:
    done = shell(tmp_path, f"$S explain x {option}")
    assert done.returncode == 2
    assert says in done.stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("kind", "shows"), [("dumb", False), ("xterm", True)])
def test_a_dumb_terminal_gets_no_spinner(monkeypatch: pytest.MonkeyPatch, kind: str, shows: bool) -> None:
    monkeypatch.setenv("TERM", kind)
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Spinner("connecting") as spinner:
        assert (spinner._thread is not None) is shows
