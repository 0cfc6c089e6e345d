"""How models come and go: one load for all, kept while used and for a while after, unloaded when free."""

from __future__ import annotations

import math
from typing import Any

import pytest

from saliscope.daemon.worker.pool import keeping
from saliscope.daemon.worker.pool.keeping import default_keep_alive
from saliscope.daemon.worker.pool.patrol import EVERY_S, QUIET_S, Patrol
from saliscope.explainers.errors import BadRequest, UnknownModel

from .pools import MB, Driven

SIZES = {"a": 3 * MB, "b": 4 * MB}


@pytest.fixture
def driven(monkeypatch: pytest.MonkeyPatch) -> Driven:
    return Driven(monkeypatch, SIZES)


def info(driven: Driven, name: str) -> Any:
    return next(model for model in driven.pool.models() if model["name"] == name)


def test_one_load_serves_all_who_ask_and_a_name_that_gave_no_model_is_forgotten(driven: Driven) -> None:
    first, second = driven.ask("a", 1), driven.ask("a", 2)
    driven.turn(lambda: first and second)
    assert first[0] is second[0]
    assert driven.loads == ["a"]
    assert info(driven, "a")["num_in_use"] == 2
    assert ("loading a (3.1 MB)",) in driven.stages
    assert isinstance(driven.get("nothing"), UnknownModel)
    assert driven.ready == ["a"]


def test_it_stays_for_a_while_after_its_last_use_and_then_goes(driven: Driven) -> None:
    driven.get("a", 1)
    driven.clock.now += 10_000
    driven.pool.tick()
    assert driven.ready == ["a"]
    assert info(driven, "a")["expires_s"] is None
    driven.pool.release(1)
    driven.pool.tick()
    driven.clock.now += 100
    assert info(driven, "a")["expires_s"] == keeping.KEEP_ALIVE_S - 100 == driven.pool.wait_s
    driven.clock.now += keeping.KEEP_ALIVE_S - 100
    assert driven.pool.wait_s == 0
    driven.pool.tick()
    assert driven.ready == []
    assert not driven.device.held
    assert driven.pool.wait_s is None


@pytest.mark.parametrize(("keep_alive", "stays"), [(0, 0.0), (2.5, 2.5), (-1, math.inf)])
def test_keep_alive_of_a_load_and_of_a_request(driven: Driven, keep_alive: float, stays: float) -> None:
    driven.pool.wish("a", keep_alive=keep_alive)
    driven.get("b", 2)
    driven.pool.keep("b", keep_alive)
    driven.pool.release(2)
    driven.get("a", 1)
    driven.pool.release(1)
    driven.pool.tick()
    assert (driven.ready == []) == (stays == 0)
    if stays:
        assert driven.pool.wait_s == (None if math.isinf(stays) else stays)
        driven.clock.now += min(stays, 1e9)
        driven.pool.tick()
        assert driven.ready == (["b", "a"] if math.isinf(stays) else [])


def test_the_environment_has_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, seconds in {"": 300.0, "60": 60.0, "10m": 600.0, "2h": 7200.0, "-1": math.inf, "0": 0.0}.items():
        monkeypatch.setenv("SALISCOPE_KEEP_ALIVE", text)
        assert default_keep_alive() == seconds
    monkeypatch.setenv("SALISCOPE_KEEP_ALIVE", "soon")
    with pytest.raises(BadRequest, match="'soon': expected seconds"):
        default_keep_alive()


def test_unload_waits_for_those_who_use_it_and_says_what_it_gave_back(driven: Driven) -> None:
    driven.get("a", 1)
    freed: list[Any] = []
    assert driven.pool.unload("a", 9, freed.append)
    driven.pool.tick()
    assert not freed
    assert info(driven, "a")["state"] == "draining"
    later = driven.ask("a", 2)
    driven.pool.release(1)
    driven.turn(lambda: later)
    assert set(freed[0]) == {"ram"}
    assert driven.loads == ["a", "a"]
    assert not driven.pool.unload("b", 9, freed.append)


def test_unload_of_one_that_loads_lets_those_who_wait_have_it_first(driven: Driven) -> None:
    got, freed = driven.ask("a", 1), []
    driven.pool.unload("a", 9, freed.append)
    driven.turn(lambda: got)
    assert not freed
    driven.pool.release(1)
    driven.pool.tick()
    assert freed
    assert driven.ready == []


def test_an_unload_that_was_taken_back_leaves_it(driven: Driven) -> None:
    driven.get("a", 1)
    driven.pool.unload("a", 9, lambda freed: None)
    waiting = driven.ask("a", 2)
    assert driven.pool.forget(9)
    assert waiting
    driven.pool.release(1)
    driven.pool.release(2)
    driven.pool.tick()
    assert driven.ready == ["a"]
    assert driven.loads == ["a"]


def test_a_gpu_says_what_it_got_back(monkeypatch: pytest.MonkeyPatch) -> None:
    driven, freed = Driven(monkeypatch, SIZES, place="cuda:0"), []
    driven.use("b")
    driven.pool.unload("b", 9, freed.append)
    driven.pool.tick()
    assert freed[0]["gpu"] == 4 * MB


def test_other_options_load_it_anew_when_it_is_free_and_are_remembered(driven: Driven) -> None:
    driven.get("a", 1)
    driven.pool.wish("a", dtype="bfloat16")
    got = driven.ask("a", 2)
    driven.pool.tick()
    assert not got
    driven.pool.release(1)
    driven.turn(lambda: got)
    assert driven.pool._entries["a"].options.dtype == "bfloat16"
    driven.pool.wish("a", dtype=None, device="cpu")
    driven.pool.release(2)
    driven.pool.tick()
    assert driven.loads == ["a", "a"]
    driven.pool.unload("a", 9, lambda freed: None)
    driven.pool.tick()
    driven.use("a")
    assert driven.pool._entries["a"].options.dtype == "bfloat16"


def test_options_that_change_while_it_loads_reach_the_one_who_gave_them(driven: Driven) -> None:
    first = driven.ask("a", 1)
    driven.pool.wish("a", dtype="float16")
    second = driven.ask("a", 2)
    driven.turn(lambda: first and second)
    assert driven.pool._entries["a"].options.dtype == "float16"
    assert driven.loads == ["a", "a"]
    assert len(driven.device.held) == 1


# -- integrity ------------------------------------------------------------------------------------


def test_idle_models_are_verified_in_turn_and_a_changed_one_is_loaded_anew(driven: Driven) -> None:
    patrol = Patrol(driven.pool, driven.clock)
    driven.use("a")
    driven.use("b")
    assert patrol.wait_s == pytest.approx(EVERY_S, abs=10)

    def verify(count: int) -> None:
        while patrol.counters["verified"] < count:
            patrol.tick()

    driven.clock.now += EVERY_S - 300
    driven.pool.wish("a", keep_alive=-1)
    driven.pool.wish("b", keep_alive=-1)
    driven.clock.now += 300
    patrol.disturbed()
    assert patrol.wait_s == QUIET_S
    driven.clock.now += QUIET_S
    verify(2)
    assert patrol.counters == {"verified": 2, "corrupted": 0}
    driven.pool._entries["a"].model.fingerprint_now = "bent"  # type: ignore[union-attr]
    driven.clock.now += EVERY_S
    verify(4)
    assert patrol.counters["corrupted"] == 1
    driven.pool.tick()
    assert driven.ready == ["b"]
    assert driven.use("a") == "a"


def test_nobody_waits_for_a_verification(driven: Driven) -> None:
    patrol = Patrol(driven.pool, driven.clock)
    driven.use("a")
    driven.pool.keep("a", -1)
    driven.clock.now += EVERY_S + QUIET_S
    entry = driven.pool._entries["a"]

    def endless() -> Any:
        while True:
            driven.clock.now += 0.015
            yield

    entry.verifying = endless()
    before = driven.clock.now
    patrol.tick()
    assert driven.clock.now - before < 0.05
    driven.get("a", 3)
    assert patrol.wait_s is None
    patrol.tick()
    assert patrol.counters["verified"] == 0
