"""`saliscope daemon` and `saliscope cache` around a real daemon, and the units for systemd."""

from __future__ import annotations

import configparser
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saliscope.cli import units
from saliscope.protocol import paths

Saliscope = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sal-", dir="/tmp") as folder:
        monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", f"{folder}/run")
        monkeypatch.setenv("SALISCOPE_CACHE_DIR", f"{folder}/cache")
        monkeypatch.setenv("XDG_CONFIG_HOME", f"{folder}/config")
        yield Path(folder)


@pytest.fixture
def saliscope(home: Path) -> Iterator[Saliscope]:
    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "saliscope.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})

    yield run
    run("daemon", "stop")


def test_start_takes_options_and_restart_applies_new_ones(saliscope: Saliscope) -> None:
    started = saliscope("daemon", "start", "--tcp", "127.0.0.1:0")
    assert started.returncode == 0, started.stderr
    assert str(paths.token_path()) in started.stdout
    again = saliscope("daemon", "start", "--log-texts")
    assert again.stdout.startswith("already running")
    assert "restart" in again.stderr
    assert saliscope("daemon", "restart").returncode == 0
    status = json.loads(saliscope("status", "--json").stdout)
    assert (status["running"], status["tcp"]) == (True, None)


def test_the_whole_command_line_speaks_to_a_daemon_on_tcp(saliscope: Saliscope) -> None:
    saliscope("daemon", "start", "--tcp", "127.0.0.1:0")
    address = json.loads(saliscope("status", "--json").stdout)["tcp"]
    assert address in saliscope("--connect", address, "status").stdout
    assert address in saliscope("status", SALISCOPE_CONNECT=address).stdout
    wrong = saliscope("--connect", address, "status", SALISCOPE_TOKEN="0" * 64)
    assert (wrong.returncode, "token" in wrong.stderr) == (11, True)
    stop = saliscope("--connect", address, "daemon", "stop")
    assert (stop.returncode, "own daemon" in stop.stderr) == (2, True)
    assert saliscope("--connect", "tcp://nowhere", "models").returncode == 2


def test_a_wrong_option_is_told_where_it_was_given(saliscope: Saliscope) -> None:
    found = saliscope("daemon", "start", "--tcp", "0.0.0.0:0")
    assert found.returncode == 14
    assert "TLS proxy" in found.stderr


def test_run_stays_in_the_foreground(home: Path) -> None:
    command = [sys.executable, "-m", "saliscope.cli", "daemon", "run", "--idle-timeout", "0.2s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert " listens on " in done.stderr
    assert done.stderr.rstrip().endswith("ended")


def test_the_cache_is_listed_and_cleared_but_for_the_token(saliscope: Saliscope, home: Path) -> None:
    cache = paths.cache_dir()
    for name in ("daemon.log", "daemon.log.1", "methods-0.json", "tcp-token", "mine.txt"):
        (cache / name).write_text("x" * 100)
    files = json.loads(saliscope("cache", "info", "--json").stdout)["files"]
    assert files == {"daemon.log": 100, "daemon.log.1": 100, "methods-0.json": 100, "tcp-token": 100}
    assert "400 B  in all" in saliscope("cache", "info").stdout
    assert saliscope("cache", "clear").stdout == "removed 300 B\n"
    assert {path.name for path in cache.iterdir()} == {"tcp-token", "mine.txt"}


def test_units_start_this_daemon_on_this_socket(saliscope: Saliscope, home: Path) -> None:
    printed = saliscope("daemon", "install-units", "--print", "--idle-timeout", "0")
    assert not units.folder().exists()
    assert saliscope("daemon", "install-units", "--idle-timeout", "0").returncode == 0
    found = {}
    for name in ("saliscope.socket", "saliscope.service"):
        text = (units.folder() / name).read_text()
        assert text in printed.stdout
        found[name] = configparser.RawConfigParser(strict=False)
        found[name].optionxform = str  # type: ignore[assignment,method-assign]
        found[name].read_string(text)
    assert found["saliscope.socket"]["Socket"]["ListenStream"] == str(paths.socket_path())
    assert found["saliscope.socket"]["Socket"]["SocketMode"] == "0600"
    service = found["saliscope.service"]["Service"]
    assert service["Type"] == "notify"
    assert shlex.split(service["ExecStart"]) == [sys.executable, "-m", "saliscope.daemon", "--idle-timeout=0"]
    assert f"SALISCOPE_RUNTIME_DIR={home / 'run'}" in (units.folder() / "saliscope.service").read_text()


def test_words_of_a_unit_are_quoted_as_systemd_reads_them(home: Path) -> None:
    service = units.units(["--root=/a b/100%/$x"])["saliscope.service"]
    assert '"--root=/a b/100%%/$$x"' in service
