"""Models come and go for weeks: what they took really comes back."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from saliscope.daemon.worker.memory import PERIOD_S
from saliscope.protocol import connect
from saliscope.protocol.client import Client
from tests.explainers import tiny

ROUNDS = 20
SETTLED = 3
"""Rounds after which memory must not grow any more."""
FEW = 5
SIZES = {"hidden_size": 768, "intermediate_size": 2048}
"""Some 85 MB of weights."""


def resident(pid: int) -> int:
    """Bytes in RAM once they rest: freed pages go back at most once a second."""
    before = -1
    for _ in range(20):
        now = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        if now == before:
            break
        before = now
        time.sleep(1.2 * PERIOD_S)
    return now


def assert_flat(seen: list[int]) -> None:
    """What leaks never comes back: memory falls to where it was again and again, and never stands far above it."""
    usual = statistics.median(seen[SETTLED : SETTLED + FEW])
    assert min(seen[-FEW:]) <= 1.02 * usual
    assert statistics.median(seen[-FEW:]) <= 1.05 * usual
    assert max(seen[SETTLED:]) <= 1.1 * usual


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    monkeypatch.setenv("SALISCOPE_KEEP_ALIVE", "-1")
    with connect(private=True) as client:
        yield client


def pid_of(client: Client) -> int:
    return int(client.call("status")["pid"])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("models")
    return [
        str(tiny.save(tiny.build("bert", **SIZES), root / "bert", causal=False)),
        str(tiny.save(tiny.build("qwen2", **SIZES), root / "qwen2", causal=True)),
        str(tiny.save(tiny.build("gpt2", n_embd=768, n_inner=2048), root / "gpt2", causal=True)),
    ]


@pytest.mark.load
@pytest.mark.timeout(1200)
def test_three_models_loaded_and_unloaded_twenty_times_leave_memory_flat(private: Client, folders: list[str]) -> None:
    pid = pid_of(private)
    seen, freed = [], []
    for _ in range(ROUNDS):
        for folder in folders:
            private.explain("a dull film", model=folder)
        for folder in folders:
            gone = private.unload_model(folder)
            assert gone.unloaded
            freed.append(gone.freed["ram"])
        seen.append(resident(pid))
    print("resident after each round, MB:", [round(count / 1e6, 1) for count in seen])
    print("given back by each unload, MB:", [round(count / 1e6, 1) for count in freed[-3:]])
    assert_flat(seen)
    assert min(freed[3 * SETTLED :]) > 50e6


@pytest.mark.load
@pytest.mark.timeout(1200)
def test_eviction_churn_leaves_memory_flat(folders: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with connect(private=True) as probe:
        for folder in folders:
            probe.load_model(folder)
            probe.unload_model(folder)
        base = resident(pid_of(probe))
    # Two of the three fit.
    monkeypatch.setenv("SALISCOPE_MEMORY", f"{base + 180_000_000}B")
    with connect(private=True) as client:
        pid = pid_of(client)
        seen = []
        for _ in range(ROUNDS):
            for folder in folders:
                client.explain("a dull film", model=folder)
            seen.append(resident(pid))
        counters = client.call("status")["counters"]
    print("resident after each round, MB:", [round(count / 1e6, 1) for count in seen], counters["evictions"])
    assert counters["evictions"] >= 2 * ROUNDS
    assert_flat(seen)
