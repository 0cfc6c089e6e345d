"""A real daemon with a real worker, and the real command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol import connect
from saliscope.protocol.client import Client

Saliscope = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def environment() -> Iterator[dict[str, str]]:
    """The environment of a user whose daemon is nobody else's; the daemon ends with the session."""
    folder = Path(tempfile.mkdtemp(prefix="sal-e2e-", dir="/tmp"))
    mine = {"SALISCOPE_RUNTIME_DIR": str(folder / "run"), "SALISCOPE_CACHE_DIR": str(folder / "cache")}
    environment = {**os.environ, **mine, "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}
    # What these tests ask twice is to be computed twice.
    environment["SALISCOPE_DAEMON_OPTIONS"] = "--cache=0"
    environment.pop("FORCE_COLOR", None)
    yield environment
    subprocess.run([*COMMAND, "daemon", "stop"], env=environment, capture_output=True, check=False)
    shutil.rmtree(folder)


COMMAND = (sys.executable, "-m", "saliscope.cli")


@pytest.fixture(scope="session")
def saliscope(environment: dict[str, str]) -> Saliscope:
    """Run the command: `saliscope("explain", text, "--json", exit_status=3)`."""

    def run(*arguments: str, exit_status: int = 0, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, input=stdin)
        assert done.returncode == exit_status, done.stderr or done.stdout
        return done

    return run


@pytest.fixture
def as_json(saliscope: Saliscope) -> Callable[..., Any]:
    """Run the command with --json and read what it says."""

    def run(*arguments: str, exit_status: int = 0) -> Any:
        return json.loads(saliscope(*arguments, "--json", exit_status=exit_status).stdout)

    return run


@pytest.fixture
def client(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A client of the session's daemon."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with connect() as client:
        yield client
