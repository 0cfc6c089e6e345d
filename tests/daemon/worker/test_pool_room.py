"""Room for models: least recently used ones go, those in use stay, and what never fits is refused with numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from saliscope.explainers.errors import BadRequest, NoRoom

from .pools import MB, Driven

SIZES = {"a": 300 * MB, "b": 300 * MB, "c": 300 * MB, "d": 600 * MB, "huge": 5000 * MB}


@pytest.mark.parametrize("place", ["cpu", "cuda:0"])
def test_the_least_recently_used_goes_until_it_fits(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    driven = Driven(monkeypatch, SIZES, place=place)
    for name in ("a", "b", "c", "a"):
        driven.use(name)
    assert driven.ready == ["a", "b", "c"]
    driven.use("d")
    assert driven.ready == ["a", "d"]
    assert driven.pool.counters["evictions"] == 2
    assert driven.loads == ["a", "b", "c", "d"]
    assert sum(driven.device.held.values()) == 900 * MB


def test_what_never_fits_is_refused_with_both_numbers_and_evicts_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    driven = Driven(monkeypatch, SIZES)
    driven.use("a")
    refused = driven.get("huge")
    assert isinstance(refused, NoRoom)
    assert refused.code == "oom"
    assert (refused.data["needed"], refused.data["available"]) == (5000 * MB, 690 * MB)
    assert "huge needs 5.2 GB, and 724 MB are available" in refused.message
    assert "dtype bfloat16" in refused.message
    assert driven.ready == ["a"]
    assert driven.loads == ["a"]


def test_a_model_in_use_is_waited_for_and_never_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    driven = Driven(monkeypatch, SIZES)
    driven.get("a", 1)
    driven.get("b", 2)
    got = driven.ask("d", 3)
    driven.turn(lambda: driven.pool.wait_s is not None and driven.news.empty() and driven.pool.wait_s > 0)
    assert not got
    assert set(driven.ready) == {"a", "b"}
    driven.pool.release(1)
    driven.turn(lambda: got)
    assert driven.ready == ["b", "d"]


def test_one_that_has_waited_long_enough_is_told_who_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    driven = Driven(monkeypatch, SIZES)
    driven.get("a", 1)
    driven.get("b", 2)
    got = driven.ask("d", 3)
    driven.turn(lambda: driven.pool.wait_s)
    assert not got
    assert driven.pool.wait_s == pytest.approx(30.0)
    driven.clock.now += 31
    driven.turn(lambda: got)
    assert isinstance(got[0], NoRoom)
    assert "(a, b in use)" in got[0].message
    assert set(driven.ready) == {"a", "b"}
    assert driven.pool.wait_s is None


def test_out_of_memory_while_loading_evicts_everything_idle_and_tries_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driven = Driven(monkeypatch, SIZES)
    driven.use("a")
    driven.get("b", 7)
    errors: list[Exception] = [torch.OutOfMemoryError("CUDA out of memory")]

    def fail(name: str) -> None:
        if errors:
            raise errors.pop()

    driven.fail = fail
    assert driven.use("c") == "c"
    assert driven.ready == ["b", "c"]
    assert driven.loads == ["a", "b", "c", "c"]
    assert driven.pool.counters["load_retries"] == 1
    errors += [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 5 bytes")]
    refused = driven.get("d" if driven.pool.unload("c", 1, lambda freed: None) else "")
    assert isinstance(refused, NoRoom)
    assert {"needed", "available"} <= refused.data.keys()
    assert "also after everything idle was unloaded" in refused.message
    assert driven.pool.counters["load_retries"] == 2
    assert driven.use("a") == "a"


def test_what_it_took_the_last_time_counts_more_than_its_files(monkeypatch: pytest.MonkeyPatch) -> None:
    driven = Driven(monkeypatch, {"a": 300 * MB, "b": 500 * MB})
    driven.more["a"] = 200 * MB
    driven.use("a")
    assert driven.pool.models()[0]["size"] == 500 * MB
    driven.pool.unload("a", 1, lambda freed: None)
    driven.pool.tick()
    driven.use("b")
    driven.use("a")
    assert driven.ready == ["a"]


def test_a_failed_load_gives_its_reserve_back(monkeypatch: pytest.MonkeyPatch) -> None:
    driven = Driven(monkeypatch, SIZES)

    def fail(name: str) -> None:
        raise ValueError("damaged")

    driven.fail = fail
    for _ in range(5):
        assert "damaged" in driven.get("d").message
    driven.fail = lambda name: None
    assert driven.use("d") == "d"
    budget = driven.pool._room.budgets.of(driven.place)
    assert (budget.reserved, budget.charged) == (0, 600 * MB)


@pytest.mark.parametrize(
    ("text", "bytes_"),
    [
        ("0.5", 500),
        ("80%", 800),
        ("1", 1000),
        ("12GiB", 12 * 2**30),
        ("500MB", 500 * 10**6),
        ("7b", 7),
        ("1.5 kB", 1500),
    ],
)
def test_limits_are_shares_or_sizes(text: str, bytes_: int) -> None:
    from saliscope.daemon.worker.pool.budget import parse_limit

    assert parse_limit(text, 1000) == bytes_


@pytest.mark.parametrize("text", ["", "a lot", "0", "1.5", "-1", "12 apples", "120%"])
def test_other_limits_are_refused_with_what_would_work(text: str) -> None:
    from saliscope.daemon.worker.pool.budget import parse_limit

    with pytest.raises(BadRequest, match="memory limit"):
        parse_limit(text, 1000)


def test_a_control_group_confines(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from saliscope.daemon.worker.pool import budget

    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 1\ninactive_file 100\nactive_file 50\n")
    monkeypatch.setattr(budget, "_CGROUP", tmp_path)
    assert budget.RamMeter().free() == 100150
    (tmp_path / "memory.max").write_text("max\n")
    assert budget.RamMeter().free() > 100150
