"""Many generators of queries at once on one model: rows of different texts share passes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from saliscope.explainers.answers import Answer, Solved
from saliscope.explainers.metrics.evaluating import Clock, Evaluating
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.metrics.stopwatch import Stopwatch
from saliscope.explainers.models.packing import BatchKey, batch_key, cut
from saliscope.explainers.models.textmodel import TOKENS_PER_MICRO_BATCH, TextModel
from saliscope.explainers.queries import ModelQuery, Piece, Query, Solve, join

Start = Callable[[Clock], Evaluating]
"""Begins a generator that reads its time from the clock it is given."""


@dataclass(eq=False)
class _Lane:
    """One generator, the query it waits for and the time it has had."""

    start: Start
    on_record: Callable[[Record], None]
    query: ModelQuery | None = None
    parts: dict[int, Answer] = field(default_factory=dict)
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    def __post_init__(self) -> None:
        self.steps = self.start(self.stopwatch)

    def advance(self, reply: Answer | Exception | None) -> bool:
        """Go on to the next query for the model; False at the end."""
        self.query, self.parts = None, {}
        with self.stopwatch:
            try:
                while True:
                    step = self._step(reply)
                    if isinstance(step, Record):
                        self.on_record(step)
                        reply = None
                    elif isinstance(step, Solve):
                        reply = _solved(step)
                    else:
                        self.query = step
                        return True
            except StopIteration:
                return False

    def _step(self, reply: Answer | Exception | None) -> Query | Record:
        return self.steps.throw(reply) if isinstance(reply, Exception) else self.steps.send(reply)


def run_together(
    model: TextModel,
    starts: Iterable[Start],
    on_record: Callable[[Record], None],
    width: int = 8,
    budget: int = TOKENS_PER_MICRO_BATCH,
) -> None:
    """Run generators, at most `width` at a time, each micro-batch of at most `budget` tokens (one row at least).

    A pass that fails is run again for each of its pieces alone, and the error goes to the generator whose piece fails.
    """
    waiting = deque(starts)
    lanes: list[_Lane] = []
    while waiting or lanes:
        while waiting and len(lanes) < width:
            lane = _Lane(waiting.popleft(), on_record)
            if lane.advance(None):
                lanes.append(lane)
        replies = _round(model, lanes, budget)
        lanes = [lane for lane in lanes if lane.advance(replies[lane])]


def _round(model: TextModel, lanes: list[_Lane], budget: int) -> dict[_Lane, Answer | Exception]:
    """Answer the query of every lane."""
    groups: dict[BatchKey, list[tuple[_Lane, Piece]]] = {}
    for lane in lanes:
        assert lane.query is not None
        for piece in cut(lane.query, budget):
            groups.setdefault(batch_key(lane.query), []).append((lane, piece))
    failed: dict[_Lane, Answer | Exception] = {}
    for pieces in groups.values():
        for batch in _batches(pieces, budget):
            _compute(model, batch, failed)
    replies = dict(failed)
    for lane in lanes:
        if lane not in failed:
            assert lane.query is not None
            replies[lane] = join(lane.query, [lane.parts[start] for start in sorted(lane.parts)])
    return replies


def _batches(pieces: list[tuple[_Lane, Piece]], budget: int) -> Iterable[list[tuple[_Lane, Piece]]]:
    """Pieces of like length together, as many as fit when padded to the longest."""
    batch: list[tuple[_Lane, Piece]] = []
    rows = longest = 0
    for lane, piece in sorted(pieces, key=lambda one: -len(one[1].query.encoding)):
        count = piece.stop - piece.start
        if batch and (rows + count) * longest > budget:
            yield batch
            batch, rows = [], 0
        if not batch:
            longest = len(piece.query.encoding)
        batch.append((lane, piece))
        rows += count
    if batch:
        yield batch


def _compute(model: TextModel, batch: list[tuple[_Lane, Piece]], failed: dict[_Lane, Answer | Exception]) -> None:
    batch = [(lane, piece) for lane, piece in batch if lane not in failed]
    if not batch:
        return
    started = time.perf_counter()
    try:
        answers = model.compute([piece for _, piece in batch])
    except Exception as error:
        if len(batch) == 1:
            failed[batch[0][0]] = error
            return
        for one in batch:
            _compute(model, [one], failed)
        return
    seconds, tokens = time.perf_counter() - started, sum(piece.num_tokens for _, piece in batch)
    for (lane, piece), answer in zip(batch, answers, strict=True):
        lane.stopwatch.charge(seconds * piece.num_tokens / max(1, tokens))
        lane.parts[piece.start] = answer


def _solved(query: Solve) -> Answer | Exception:
    try:
        return Solved(query.function(*query.arguments))
    except Exception as error:
        # It belongs to the generator that asked, which records it.
        return error
