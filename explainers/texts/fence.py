"""A fence around what strangers wrote: patterns of clients, templates of model folders.

A pattern can take forever or all memory, and a template is a program. Both run in a process of their own (`fenced.py`)
that the system stops after two seconds of work or half a gigabyte.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from saliscope.explainers.texts.fenced import CPU_SECONDS, MEGABYTES

SCRIPT: Final = Path(__file__).with_name("fenced.py")
WALL_SECONDS: Final = 20.0
"""For a machine so busy that two seconds of work take long."""


class ExhaustedError(Exception):
    """It took more time or memory than there is for it; the text says which limits there are."""

    def __init__(self) -> None:
        super().__init__(f"more than {CPU_SECONDS} seconds or {MEGABYTES} MiB")


def fenced(name: str, *arguments: Any) -> dict[str, Any]:
    """What `fenced.py` answers to a task (plain values); `ExhaustedError` if it was stopped."""
    task = json.dumps({"name": name, "arguments": arguments, "path": sys.path})
    try:
        # Isolated and without site: nothing but the standard library and the given path, and it starts at once.
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(SCRIPT)],
            input=task.encode(),
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ExhaustedError from None
    if done.returncode < 0:
        raise ExhaustedError
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RuntimeError(f"{SCRIPT.name} failed: {lines[-1].partition(':')[0] if lines else done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    if answer.get("exhausted"):
        raise ExhaustedError
    return answer
