"""Out of memory in a micro-batch: less at once, then the request's own error; the others go on."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from saliscope.daemon.worker.batcher import Batcher, Outcome
from saliscope.daemon.worker.scheduling.budget import GROWTH, RECOVERY, Budget
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers import load
from saliscope.explainers.answers import Evaluated
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Evaluate, Outputs
from saliscope.protocol.errors import SaliscopeError

from .test_batcher import hidden

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("MPS backend out of memory (MPS allocated: 1.00 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.fixture
def model() -> TextModel:
    return load("demo-encoder", "cpu")


def starve(model: TextModel, patch: pytest.MonkeyPatch, room: int, error: Exception) -> list[int]:
    """Let the model fail with `error` over `room` tokens; returns the list of what is tried."""
    tried: list[int] = []
    compute = model.compute

    def limited(pieces: Any) -> Any:
        rows = sum(piece.stop - piece.start for piece in pieces)
        tried.append(rows * max(len(piece.query.encoding) for piece in pieces))
        if tried[-1] > room:
            raise error
        return compute(pieces)

    patch.setattr(model, "compute", limited)
    return tried


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_micro_batch_that_does_not_fit_runs_in_smaller_ones(
    model: TextModel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    query = hidden(model, "a dull film", 32)
    expected = model.answer(query)
    length = len(query.encoding)
    tried = starve(model, monkeypatch, 5 * length, error)
    batcher, told = Batcher(Solver(lambda news: None), lambda: Budget(2048)), list[Outcome]()
    batcher.add(Owner(), model, query, told.append)
    while batcher.step():
        pass
    assert isinstance(told[0], Evaluated)
    assert isinstance(expected, Evaluated)
    np.testing.assert_allclose(told[0].values, expected.values, atol=1e-5)
    assert [tokens // length for tokens in tried] == [32, 16, 8, *[4] * 8]
    assert batcher.done.out_of_memory == 3
    assert batcher.budget(model).tokens == 4 * length


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_row_that_does_not_fit_alone_is_the_one_that_fails(
    model: TextModel, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    small, large = hidden(model, "a dull film", 6), hidden(model, "a dull film of no wit at all", 1)
    starve(model, monkeypatch, len(large.encoding) - 1, error)
    batcher, told = Batcher(Solver(lambda news: None)), dict[str, Outcome]()
    batcher.add(Owner(1), model, small, lambda outcome: told.update(small=outcome))
    batcher.add(Owner(2), model, large, lambda outcome: told.update(large=outcome))
    while batcher.step():
        pass
    assert isinstance(told["small"], Evaluated)
    assert isinstance(told["large"], SaliscopeError)
    assert told["large"].code == "oom"
    assert "shorten the text" in told["large"].message
    assert not batcher.queue


def test_other_models_keep_their_budget_and_this_one_recovers_slowly(
    model: TextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = load("demo-decoder", "cpu")
    batcher = Batcher(Solver(lambda news: None), lambda: Budget(64))
    query = Evaluate(model.encode("a dull film"), Outputs("class"))
    with monkeypatch.context() as patch:
        starve(model, patch, 30, ERRORS[0])
        batcher.add(Owner(), model, hidden(model, "a dull film", 10), lambda _: None)
        while batcher.step():
            pass
    assert batcher.budget(other).tokens == 64
    shrunk = batcher.budget(model).tokens
    assert shrunk <= 30
    sizes = []
    while batcher.budget(model).tokens < 64:
        batcher.add(Owner(), model, query, lambda _: None)
        assert batcher.step()
        sizes.append(batcher.budget(model).tokens)
    assert sizes[RECOVERY - 5] == shrunk
    assert max(after / before for before, after in pairwise(sizes)) <= GROWTH
    assert len(sizes) > 2 * RECOVERY


def test_who_cancels_between_two_attempts_is_not_tried_again(model: TextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = starve(model, monkeypatch, 0, ERRORS[0])
    batcher, told = Batcher(Solver(lambda news: None)), list[Outcome]()
    owner = Owner()
    batcher.add(owner, model, hidden(model, "a dull film", 8), told.append)
    assert batcher.step()
    batcher.cancel(owner)
    assert not batcher.step()
    assert (len(tried), told) == (1, [])
