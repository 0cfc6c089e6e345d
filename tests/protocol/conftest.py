from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short folder (socket paths are limited) with runtime and cache folders of its own."""
    folder = Path(tempfile.mkdtemp(prefix="sal-", dir="/tmp"))
    monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", str(folder / "run"))
    monkeypatch.setenv("SALISCOPE_CACHE_DIR", str(folder / "cache"))
    yield folder
    shutil.rmtree(folder)
