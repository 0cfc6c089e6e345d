"""Texts that are being written, in the worker: what is kept of them, for whom, how much, and when it goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.daemon.worker.batcher import Batcher, Outcome
from saliscope.daemon.worker.prefixes import LEAST_TOKENS, Prefixes
from saliscope.daemon.worker.scheduling.budget import Budget
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers import load
from saliscope.explainers.answers import Evaluated
from saliscope.explainers.errors import TooLarge
from saliscope.explainers.models.lines import capacity
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Along, Evaluate
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.texts.encoding import IntArray

from .pools import MB, Driven
from .test_worker import Peer

SENTENCE = "the plot is a mess but the cast is wonderful and the music is fine while nobody knows why"
WORDS = SENTENCE.split()


@pytest.fixture(scope="module")
def model() -> TextModel:
    return load("demo-decoder", "cpu")


def text(count: int, seed: int = 0) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, count))


def question(model: TextModel, words: str) -> Evaluate:
    encoding = model.encode(words)
    return Evaluate(encoding, Along(tuple(range(len(encoding))), Scalar("class", None, "logit")), outputs=True)


class Desk:
    """A batcher with prefixes of so many bytes; `ask` gives the answer of one text that is being written."""

    def __init__(self, model: TextModel, limit: int = 1 << 30) -> None:
        self.model, self.prefixes = model, Prefixes(limit)
        self.batcher = Batcher(Solver(lambda news: None), lambda: Budget(2048), prefixes=self.prefixes)

    def ask(self, words: str, owner: Owner | None = None, is_written: bool = True) -> Outcome:
        told = self.add(words, owner, is_written)
        while self.batcher.step():
            pass
        assert len(told) == 1
        return told[0]

    def add(self, words: str, owner: Owner | None = None, is_written: bool = True) -> list[Outcome]:
        told: list[Outcome] = []
        query = question(self.model, words)
        self.batcher.add(owner or Owner(), self.model, query, told.append, is_written=is_written)
        return told

    def computed(self) -> int:
        """Tokens since the last time."""
        found, self.batcher.done.tokens = self.batcher.done.tokens, 0
        return found


@pytest.fixture
def desk(model: TextModel) -> Desk:
    return Desk(model)


def assert_fresh(desk: Desk, words: str, got: Outcome) -> None:
    wanted = desk.model.answer(question(desk.model, words))
    assert isinstance(got, Evaluated)
    assert isinstance(wanted, Evaluated)
    np.testing.assert_allclose(got.values, wanted.values, atol=1e-5)
    assert got.outputs is not None
    assert wanted.outputs is not None
    np.testing.assert_allclose(got.outputs, wanted.outputs, atol=1e-5)


def test_typing_computes_what_was_typed(desk: Desk) -> None:
    words = text(100)
    for typed in ("", " and", " and so on"):
        assert_fresh(desk, words + typed, desk.ask(words + typed))
    lengths = [len(desk.model.encode(words + typed)) for typed in ("", " and", " and so on")]
    assert desk.computed() == lengths[-1]
    assert desk.prefixes.told()["lines"] == 1
    assert desk.prefixes.counters() == {
        "prefix_hits": 2,
        "prefix_misses": 1,
        "prefix_tokens_saved": lengths[0] + lengths[1],
    }


def test_an_edit_in_the_middle_costs_the_suffix_and_is_undone_for_nothing(desk: Desk) -> None:
    words = text(100).split()
    before, after = " ".join(words), " ".join([*words[:60], "why", *words[61:]])
    desk.ask(before)
    desk.computed()
    assert_fresh(desk, after, desk.ask(after))
    assert 30 <= desk.computed() <= len(desk.model.encode(after)) - 50
    assert desk.prefixes.told()["lines"] == 2
    assert_fresh(desk, before, desk.ask(before))
    # One row is counted, of a token at least.
    assert desk.computed() == 1


def test_texts_with_the_same_beginning_do_not_take_it_from_each_other(desk: Desk) -> None:
    instruction = text(50)
    records = [f"{instruction} {text(40, seed)}" for seed in (1, 2, 3)]
    for record in records:
        desk.ask(record)
    desk.computed()
    for record in records:
        assert_fresh(desk, record + " so", desk.ask(record + " so"))
    assert desk.computed() == 3


@pytest.mark.parametrize(
    ("owner", "is_written", "count"),
    [
        (Owner(level=Level.BULK), True, 100),
        (Owner(alone=True), True, 100),
        (Owner(), False, 100),
        (Owner(), True, 20),
    ],
    ids=["bulk", "apart", "one of many", "short"],
)
def test_for_others_nothing_is_kept_and_nothing_used(
    model: TextModel, owner: Owner, is_written: bool, count: int
) -> None:
    desk = Desk(model)
    desk.ask(text(100))
    told, _ = desk.prefixes.told(), desk.computed()
    words = text(count)
    assert_fresh(desk, words, desk.ask(words, owner, is_written))
    assert desk.prefixes.told() == told
    assert desk.computed() == len(model.encode(words))


def test_where_others_wait_only_who_gains_much_runs_alone(desk: Desk) -> None:
    words = text(100, 1)
    desk.ask(words)
    desk.batcher.done.batches = 0
    others = [desk.add(text(100, seed)) for seed in (2, 3, 4)]
    known, focused = desk.add(words + " so"), desk.add(text(100, 5), Owner(level=Level.INTERACTIVE))
    while desk.batcher.step():
        pass
    assert all(len(told) == 1 for told in (*others, known, focused))
    # The first of them found nobody waiting, two were merged.
    assert desk.batcher.done.batches == 4
    assert desk.prefixes.told()["lines"] == 3
    assert_fresh(desk, words + " so", known[0])
    assert_fresh(desk, text(100, 3), others[1][0])


def test_bytes_are_bounded_and_who_was_not_used_longest_goes(model: TextModel) -> None:
    assert model.continuable is not None
    words = [text(90, seed) for seed in range(6)]
    one = capacity(max(len(model.encode(row)) for row in words)) * model.continuable.token_bytes
    desk = Desk(model, int(3.2 * one))
    for row in (*words[:3], words[0], *words[3:]):
        assert_fresh(desk, row, desk.ask(row))
        assert 0 < desk.prefixes.num_bytes <= desk.prefixes.limit
    desk.computed()
    for row in (words[5], words[4], words[3]):
        desk.ask(row)
    assert desk.computed() == 3
    desk.ask(words[0])
    assert desk.computed() > LEAST_TOKENS


def test_a_line_that_is_larger_than_all_room_is_not_begun(model: TextModel) -> None:
    for limit in (0, 1 << 16):
        desk = Desk(model, limit)
        assert_fresh(desk, text(100), desk.ask(text(100)))
        assert desk.prefixes.told() == {"lines": 0, "bytes": 0, "limit": limit}


def test_random_edits_of_several_texts_under_a_small_bound_are_what_fresh_runs_compute(model: TextModel) -> None:
    rng = np.random.default_rng(5)
    desk = Desk(model, 6 << 20)
    texts = [text(int(rng.integers(70, 120)), seed).split() for seed in range(3)]
    for _ in range(40):
        words = texts[int(rng.integers(3))]
        at, size = int(rng.integers(len(words))), int(rng.integers(3))
        words[at : at + size] = rng.choice(WORDS, int(rng.integers(3)))
        if rng.random() < 0.5:
            words.append(str(rng.choice(WORDS)))
        assert_fresh(desk, " ".join(words), desk.ask(" ".join(words)))
        assert desk.prefixes.num_bytes <= desk.prefixes.limit
    assert desk.prefixes.done.prefix_hits > 20


def test_models_do_not_meet(model: TextModel) -> None:
    desk, other = Desk(model), load("demo-decoder", "cpu")
    other.network.model.score.weight.data *= 2
    desk.ask(text(100))
    first, desk.model = desk.ask(text(100)), other
    assert_fresh(desk, text(100), got := desk.ask(text(100)))
    assert isinstance(first, Evaluated)
    assert isinstance(got, Evaluated)
    assert np.abs(got.values - first.values).max() > 0.01
    assert desk.prefixes.told()["lines"] == 2
    desk.prefixes.drop(other)
    assert desk.prefixes.told()["lines"] == 1


# -- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("out of memory"), TooLarge("too large", needed=2, available=1), ValueError("x")]
)
def test_where_going_on_fails_the_text_is_computed_afresh(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    desk.ask(text(100))
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):

        def fail(*_: Any) -> Any:
            raise error

        patch.setattr(desk.model, "continued", fail)
        assert_fresh(desk, text(100) + " so", desk.ask(text(100) + " so"))
    assert desk.prefixes.num_bytes == 0
    assert "tried without" in caplog.text
    assert WORDS[0] not in caplog.text.split()
    desk.ask(text(100))
    assert desk.prefixes.num_bytes > 0


def test_lines_go_first_where_other_work_lacks_memory(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ask(text(100))
    compute, budget = desk.model.compute, desk.batcher.budget(desk.model).tokens

    def starving(pieces: Any) -> Any:
        if desk.prefixes.num_bytes:
            raise torch.OutOfMemoryError("out of memory")
        return compute(pieces)

    monkeypatch.setattr(desk.model, "compute", starving)
    assert_fresh(desk, text(50), desk.ask(text(50), is_written=False))
    assert desk.batcher.done.out_of_memory == 1
    assert desk.batcher.budget(desk.model).tokens == budget


def test_who_cancels_before_their_turn_leaves_nothing(desk: Desk) -> None:
    owner = Owner()
    told = desk.add(text(100), owner)
    desk.batcher.cancel(owner)
    assert not desk.batcher.step()
    assert (told, desk.prefixes.num_bytes) == ([], 0)


# -- with the pool and on the wire ----------------------------------------------------------------


class Lines(Prefixes):
    """Stands in for lines of a size; notes what becomes of them."""

    def __init__(self, held: int) -> None:
        super().__init__(0)
        self.held, self.dropped = held, list[str]()

    def clear(self) -> int:
        freed, self.held = self.held, 0
        return freed

    def drop(self, model: Any) -> None:
        self.dropped.append(model.name)


def test_lines_go_before_models_where_a_load_needs_room(monkeypatch: pytest.MonkeyPatch) -> None:
    driven = Driven(monkeypatch, {"a": 300 * MB, "b": 300 * MB}, total=900 * MB)
    lines = driven.pool._prefixes = Lines(0)
    held = driven.device.used
    monkeypatch.setattr(driven.device, "used", lambda: held() + lines.held)
    assert driven.use("a") == "a"
    lines.held = 400 * MB
    assert driven.use("b") == "b"
    assert (lines.held, sorted(driven.ready)) == (0, ["a", "b"])


def test_a_model_takes_its_lines_along(monkeypatch: pytest.MonkeyPatch) -> None:
    driven = Driven(monkeypatch, {"a": 300 * MB})
    lines = driven.pool._prefixes = Lines(0)
    assert driven.use("a") == "a"
    freed: list[Any] = []
    driven.pool.unload("a", 1, freed.append)
    driven.turn(lambda: freed)
    assert lines.dropped == ["a"]


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.ask(9, "shutdown")
    peer.answers(1)
    peer.thread.join()


def test_a_text_is_explained_as_ever_while_it_is_written(peer: Peer) -> None:
    ask = {"model": "demo-decoder", "method": "sp-pi"}
    words = text(100)
    for typed in ("", " and", " and so"):
        peer.call("explain", text=words + typed, **ask)
    got = peer.call("explain", text=words + " and so on", priority="interactive", **ask)
    # One of two texts goes the other way.
    fresh = peer.call("explain", text=[words + " and so on", "dull"], **ask)["explanations"][0]
    np.testing.assert_allclose(got["scores"], fresh["scores"], atol=1e-5)
    assert {**got["cost"]} == {**fresh["cost"]}
    predicted = peer.call("predict", texts=words + " and so on", model="demo-decoder")["predictions"][0]
    assert predicted["probabilities"] == pytest.approx(got["prediction"]["probabilities"], abs=1e-5)
    status = peer.call("status")
    assert status["counters"]["prefix_hits"] == 4
    assert 0 < status["prefixes"]["bytes"] == status["memory"]["prefixes"] <= status["prefixes"]["limit"]
    assert peer.call("cache/clear")["prefixes"] == status["prefixes"]["bytes"]
    assert peer.call("status")["prefixes"]["bytes"] == 0


def test_unloading_frees_what_is_kept(peer: Peer) -> None:
    peer.call("explain", text=text(100), model="demo-decoder", method="sp-pi")
    assert peer.call("status")["prefixes"]["lines"] >= 1
    assert peer.call("models/unload", model="demo-decoder")["unloaded"]
    assert peer.call("status")["prefixes"] == {"lines": 0, "bytes": 0, "limit": 512_000_000}


def test_the_ids_decide_and_nothing_else(model: TextModel) -> None:
    prefixes = Prefixes(1 << 30)
    query = question(model, text(100))
    prefixes.compute(model, query)
    ids: IntArray = query.encoding.ids
    changed = ids.copy()
    changed[10] += 1
    assert prefixes.num_new(model, ids) == 1
    assert prefixes.num_new(model, np.append(ids, [5, 6])) == 2
    # Too little in common for a line to be of help.
    assert prefixes.num_new(model, changed) == len(ids)
