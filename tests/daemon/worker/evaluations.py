"""Evaluations of a few texts with the real bundled encoder, over a socket pair or driven by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.evaluating import Evaluating
from saliscope.daemon.worker.ledger import FILE
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers.models.textmodel import TextModel
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluate
from saliscope.protocol.validate import read

from .test_worker import Peer

TEXTS = [
    {"text": "a dull, boring film", "label": "negative"},
    {"text": "funny and warm", "label": "positive"},
    {"text": "the plot is a mess", "label": "negative"},
    {"text": "the cast is wonderful and the music is fine", "label": "negative"},
]
QUESTION: dict[str, Any] = {
    "texts": TEXTS,
    "methods": ["random", "occlusion", "input-x-gradient"],
    "metrics": ["activation", "comprehensiveness", "cost"],
}
UNITS = len(TEXTS) * 3


def serving() -> Iterator[Peer]:
    """A peer of a worker that has the bundled encoder."""
    peer = Peer()
    peer.call("models/load", model="demo-encoder")
    yield peer
    peer.ask(9, "shutdown")
    peer.answers(1)
    peer.thread.join()


def without_times(table: dict[str, Any]) -> dict[str, Any]:
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in table["rows"]]
    return {**table, "rows": rows}


def close(found: Any, expected: Any) -> bool:
    """Equal up to what other companions in a micro-batch change in a float32."""
    if isinstance(expected, dict):
        return set(found) == set(expected) and all(close(found[name], expected[name]) for name in expected)
    if isinstance(expected, list | tuple):
        return len(found) == len(expected) and all(map(close, found, expected))
    return bool(found == (pytest.approx(expected, abs=1e-4) if isinstance(expected, float) else expected))


def lines(folder: Path) -> list[dict[str, Any]]:
    """The records that were kept: every line but the first."""
    return [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()[1:]]


def units(folder: Path) -> Counter[tuple[int, str]]:
    return Counter((line["text"], line["name"]) for line in lines(folder))


def refused(peer: Peer, **params: Any) -> SaliscopeError:
    with pytest.raises(SaliscopeError) as caught:
        peer.call("evaluate", **params)
    assert peer.call("ping")["pong"] is True
    return caught.value


class Job:
    """An evaluation driven by hand, one micro-batch at a time."""

    def __init__(self, model: TextModel, /, **question: Any) -> None:
        self.batcher = Batcher(Solver(lambda news: news()))
        self.table: dict[str, Any] | None = None
        self.failure: SaliscopeError | None = None
        self.cut_by: str | None = None
        self.progress: list[tuple[int, int]] = []
        self.running = Evaluating(Owner(), model, read(question, Evaluate), self.batcher, self)
        self.running.start()

    def step_until(self, is_enough: Callable[[], bool]) -> None:
        while not is_enough() and self.batcher.step():
            pass

    def finish(self) -> dict[str, Any]:
        self.step_until(lambda: False)
        assert self.failure is None
        assert self.table is not None
        return self.table

    def finished(self, table: dict[str, Any]) -> None:
        assert self.table is None
        self.table = table

    def failed(self, error: SaliscopeError) -> None:
        assert self.failure is None
        self.failure = error

    def counted(self, done: int, total: int) -> None:
        self.progress.append((done, total))

    def cut(self, why: str) -> None:
        assert self.cut_by is None
        self.cut_by = why

    def estimated(self, index: int, estimate: Any) -> None:
        raise AssertionError("an evaluation has no estimates")
