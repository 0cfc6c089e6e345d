from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.conftest import daemon, home, start

__all__ = ["daemon", "home", "start"]

ROOT = Path(__file__).parents[2]
SERVER = (sys.executable, "-m", "saliscope.cli", "lsp")
#: Where `make test-editors` has installed them.
EDITORS = Path(os.environ.get("SALISCOPE_EDITORS", ""))
installed = [
    pytest.mark.editors,
    pytest.mark.skipif("SALISCOPE_EDITORS" not in os.environ, reason="the editors of make test-editors"),
    pytest.mark.timeout(900),
]

#: The second one is mispredicted. By occlusion its "boring" speaks for `negative` and its "lifeless" against it; in
#: "a boring and predictable film", which the last one becomes, "boring" is the strongest word.
REVIEWS = (
    '{"text": "the plot is a mess but the cast is wonderful", "label": "negative"}\n'
    '{"text": "a dull lifeless and boring film", "label": "positive"}\n'
    '{"text": "größer 😀 and warm and a charming film", "label": "positive"}\n'
    '{"text": "a slow and predictable film"}\n'
)


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A user with a folder of its own (`HOME`), whose daemon has the bundled models and ends with the module."""
    folder = Path(tempfile.mkdtemp(prefix="sal-ed-", dir="/tmp"))
    mine = {
        "HOME": str(folder),
        "SALISCOPE_RUNTIME_DIR": str(folder / "run"),
        "SALISCOPE_CACHE_DIR": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "SALISCOPE_PYTHON": sys.executable,
    }
    environment = {**os.environ, **mine}
    (folder / "reviews.jsonl").write_text(REVIEWS, encoding="utf-8")
    yield environment
    subprocess.run([*SERVER[:-1], "daemon", "stop"], env=environment, capture_output=True, check=False)
    # Processes of VS Code write for a moment after it has ended.
    shutil.rmtree(folder, ignore_errors=True)
