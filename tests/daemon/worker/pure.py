"""Functions for the processes of the solver, which import them by this module's full name."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path


def square(number: float) -> float:
    return number * number


def end_this_process(_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def end_this_process_once(mark: str) -> str:
    if not Path(mark).exists():
        Path(mark).touch()
        end_this_process(None)
    return "survived"


def wait_for(file: str) -> str:
    deadline = time.monotonic() + 60
    while not Path(file).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return "waited"
