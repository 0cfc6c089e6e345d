"""What a person waits for before any model runs: cold commands, the daemon's door, the wire (`make bench-startup`).

Every figure is a median of interleaved repetitions in one run; bare Python stands beside the commands.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from saliscope.protocol import connect
from saliscope.protocol.paths import socket_path

REPETITIONS = 15
PYTHON = sys.executable
COMMAND = str(Path(PYTHON).with_name("saliscope"))
TEXT = "the plot is a mess but the cast is wonderful and the music is fine"


def timed(action: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1e3


def run(*command: str) -> Callable[[], object]:
    """A call of a command whose output nobody reads."""
    return lambda: subprocess.run(command, check=True, capture_output=True)


def accept_time() -> float:
    """Milliseconds from starting a daemon's process to the first accepted connection."""
    import socket

    start = time.perf_counter()
    daemon = subprocess.Popen([PYTHON, "-m", "saliscope.daemon"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket(socket.AF_UNIX) as knock:
                try:
                    knock.connect(str(socket_path()))
                except OSError:
                    time.sleep(0.001)
                    continue
                return (time.perf_counter() - start) * 1e3
    finally:
        daemon.terminate()
        daemon.wait()


def median(values: list[float]) -> str:
    """A median with the fastest and the slowest."""
    return f"{statistics.median(values):8.1f} ms   ({min(values):.1f} to {max(values):.1f})"


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="sal-", dir="/tmp") as folder:
        os.environ["SALISCOPE_RUNTIME_DIR"] = f"{folder}/run"
        os.environ["SALISCOPE_CACHE_DIR"] = f"{folder}/cache"
        os.environ["SALISCOPE_DAEMON_OPTIONS"] = "--cache=0"
        print(f"daemon accepts connections   {median([accept_time() for _ in range(REPETITIONS)])}")
        start = time.perf_counter()
        with connect() as client:
            client.explain(TEXT, model="demo-decoder")
            print(f"first explanation, all cold  {(time.perf_counter() - start) * 1e3:8.1f} ms")
            columns: dict[str, tuple[Callable[[], object], list[float]]] = {
                "python -c pass": (run(PYTHON, "-c", "pass"), []),
                "python -c 'import click'": (run(PYTHON, "-c", "import click"), []),
                "saliscope --help": (run(COMMAND, "--help"), []),
                "saliscope status": (run(COMMAND, "status"), []),
                "saliscope explain, warm": (run(COMMAND, "explain", TEXT), []),
                "ping": (client.ping, []),
                "explain sp-pi, open socket": (lambda: client.explain(TEXT, model="demo-decoder"), []),
            }
            for action, _ in columns.values():
                action()
            for _ in range(REPETITIONS):
                for action, values in columns.values():
                    values.append(timed(action))
            for name, (_, values) in columns.items():
                print(f"{name:<28} {median(values)}")
            client.shutdown()


if __name__ == "__main__":
    main()
