"""What the protocol costs without a model: `python -m bench.wire`.

The real front answers `explain` from an engine that knows the answer already: codec, session, router and client are
measured, over a Unix socket and over TCP, the front in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from saliscope.daemon.front.options import Options
from saliscope.daemon.front.run import run
from saliscope.protocol import connect
from saliscope.protocol.address import Address
from saliscope.protocol.client import Client
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.origin import Origin
from saliscope.protocol.results import MethodInfo

WARM_UP, REPETITIONS, ROUNDS = 200, 1000, 5
#: Scores alone, and the whole explanation of a text of as many tokens.
SIZES = ("scores", "explanation")


def answer(num_scores: int, *, whole: bool) -> dict[str, Any]:
    """An answer to `explain`, as a worker gives it: with `whole`, tokens and features too."""
    target = {"kind": "class", "label": "positive", "index": 1}
    scores = [(n % 97) / 97 - 0.5 for n in range(num_scores)]
    tokens = [{"text": "film", "start": 5 * n, "end": 5 * n + 4, "special": False} for n in range(num_scores)]
    features = [{"text": "film", "start": 5 * n, "end": 5 * n + 4, "tokens": [n]} for n in range(num_scores)]
    return {
        "text": "film " * num_scores if whole else "film", "model": "none", "method": "none", "params": {},
        "target": target, "scale": "logit", "granularity": "token",
        "prediction": {"label": "positive", "index": 1, "probabilities": {"positive": 0.9, "negative": 0.1}},
        "tokens": tokens if whole else [], "features": features if whole else [], "scores": scores,
        "outputs": [{"target": target, "scores": scores}] if whole else [], "value": 1.0, "base_value": 0.0,
        "signed": True, "additive": True, "gap": 0.0, "baseline": None, "seed": 0, "estimate": "final",
        "cost": {"forward_rows": 1, "backward_rows": 0}, "timing_ms": {}, "truncated_at": None, "fingerprint": "",
    }  # fmt: skip


class Echo:
    """An engine whose answers are ready."""

    def __init__(self) -> None:
        self._answers = {name: answer(512, whole=name == "explanation") for name in SIZES}

    async def call(
        self, method: str, params: dict[str, Any], on_notification: OnNotification | None = None,
        origin: Origin | None = None,
    ) -> Any:  # fmt: skip
        """The answer that the text names."""
        return dict(self._answers[params["text"]])

    async def facts(self) -> list[dict[str, Any]]:
        """None: there is no worker."""
        return []

    def catalogue(self) -> list[MethodInfo] | None:
        """None: there is no worker."""
        return None

    async def close(self) -> None:
        """There is nothing to end."""


def measure(action: Callable[[], object]) -> tuple[float, float]:
    """Median and 99th percentile of an action in milliseconds."""
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


def table(name: str, client: Client) -> None:
    """The rows of one connection."""
    actions: dict[str, Callable[[], object]] = {"ping": client.ping}
    for size in SIZES:
        actions[f"{size}, as received"] = partial(client.call, "explain", {"text": size})
        actions[f"{size}, typed"] = partial(client.explain, size)
    for label, action in actions.items():
        for _ in range(WARM_UP):
            action()
        found = [measure(action) for _ in range(ROUNDS)]
        medians, tails = zip(*found, strict=True)
        print(f"{name:<6} {label:<26} p50 {min(medians):6.3f} ms ({min(medians):.3f} to {max(medians):.3f})"
              f"   p99 {statistics.median(tails):6.3f} ms")  # fmt: skip


def main() -> None:
    """Print the table; with `--serve` be the front."""
    parser = argparse.ArgumentParser(prog="python -m bench.wire")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    ready_fd: int | None = parser.parse_args().serve
    if ready_fd is not None:
        sys.exit(run(Echo(), ready_fd, Options(tcp=Address("127.0.0.1", 0), cache=0)))
    with tempfile.TemporaryDirectory(prefix="sal-", dir="/tmp") as folder:
        os.environ |= {"SALISCOPE_RUNTIME_DIR": f"{folder}/run", "SALISCOPE_CACHE_DIR": f"{folder}/cache"}
        readable, writable = os.pipe()
        command = [sys.executable, "-m", "bench.wire", "--serve", str(writable)]
        front = subprocess.Popen(command, pass_fds=(writable,), stderr=subprocess.DEVNULL)
        os.close(writable)
        os.read(readable, 6)
        try:
            with connect(start=False) as client:
                table("unix", client)
                tcp = client.status().tcp
            with connect(tcp) as client:
                table("tcp", client)
        finally:
            front.send_signal(signal.SIGTERM)
            front.wait()


if __name__ == "__main__":
    main()
