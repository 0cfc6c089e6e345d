"""An `evaluate` request on its way through the worker: texts side by side, records kept, one table at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from saliscope.daemon.worker.batcher import Batcher, Outcome
from saliscope.daemon.worker.errors import to_wire_error
from saliscope.daemon.worker.ledger import Ledger, digest_of
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.sharing import Listener
from saliscope.explainers.answers import Answer
from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import ExplainerError
from saliscope.explainers.metrics.evaluating import evaluating_text
from saliscope.explainers.metrics.plan import Plan, make_plan
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.metrics.stopwatch import Stopwatch
from saliscope.explainers.metrics.tabulating import tabulate
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Query, Solve
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluate
from saliscope.protocol.terms import OPTIONS

TEXTS_AT_ONCE = 8
"""Texts in work together; the others wait unencoded."""


@dataclass(eq=False)
class Lane:
    """One text in work: its generator, and the time it had, its share of micro-batches included."""

    number: int
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    steps: Any = None


@dataclass(eq=False)
class Evaluating:
    """One evaluation; its `listener` hears of the table, of an error, and of units that are done."""

    owner: Owner
    model: TextModel
    asked: Evaluate
    batcher: Batcher
    listener: Listener
    num_rows: int = 0
    estimates: dict[int, Attribution] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    lanes: dict[int, Lane] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    ledger: Ledger | None = None
    ended: bool = False
    _is_filling: bool = False

    def start(self) -> None:
        """Check what was asked, take up what was found before, and put the first texts to work."""
        self.plan = _plan(self.model, self.asked)
        if self.asked.out is not None:
            # What changes no record (and a model that was not named but chosen) makes no other evaluation.
            same = msgspec.to_builtins(
                msgspec.structs.replace(
                    self.asked,
                    model=self.model.facts.name,
                    out=None,
                    download=False,
                    cheap=1.0,
                    interval="bootstrap",
                    keep_alive=None,
                )
            )
            same = {name: value for name, value in same.items() if name not in OPTIONS}
            self.ledger = Ledger(self.asked.out, digest_of(same, self.model.facts.fingerprint))
            self.records = list(self.ledger.records)
        self._done = {record.unit for record in self.records}
        self.listener.counted(len(self.records), self.plan.num_units)
        # Texts of like length run side by side, so that little of a pass is padding; the shortest are popped last.
        items = self.plan.items
        self.waiting = sorted(range(len(items)), key=lambda number: len(items[number].text))
        self._fill()

    def stop(self) -> str:
        """Stop all work; what was found is kept where there is a folder, and said to be."""
        self._end(lambda: None)
        return "" if self.ledger is None else f"; {len(self.records)} of {self.plan.num_units} units are kept"

    def best(self) -> dict[str, Any] | None:
        """The table of the units that are done, if any is."""
        return tabulate(self.plan, self.records, self.asked.cheap).to_dict() if self.records else None

    @property
    def spent(self) -> str:
        """What was computed so far, in words."""
        return f"{self.num_rows} rows, {len(self.records)} of {self.plan.num_units} units done"

    def _fill(self) -> None:
        if self._is_filling:
            return
        self._is_filling = True
        while not self.ended and self.waiting and len(self.lanes) < TEXTS_AT_ONCE:
            lane = Lane(self.waiting.pop())
            lane.steps = evaluating_text(self.plan, lane.number, self._done, lane.stopwatch)
            self.lanes[lane.number] = lane
            self._advance(lane, None)
        self._is_filling = False
        if not self.ended and not self.lanes and not self.waiting:
            self._end(lambda: self.listener.finished(tabulate(self.plan, self.records, self.asked.cheap).to_dict()))

    def _advance(self, lane: Lane, reply: Answer | Exception | None) -> None:
        """Run one text up to its next query; records on the way are kept."""
        with lane.stopwatch:
            try:
                step = lane.steps.throw(reply) if isinstance(reply, Exception) else lane.steps.send(reply)
                while isinstance(step, Record):
                    self._keep(step)
                    step = lane.steps.send(None)
            except StopIteration:
                del self.lanes[lane.number]
                self._fill()
            except Exception as error:
                wire = to_wire_error(error)
                self._end(lambda: self.listener.failed(wire))
            else:
                self._ask(lane, step)

    def _ask(self, lane: Lane, query: Query) -> None:
        most, rows = self.asked.max_rows, 0 if isinstance(query, Solve) else query.num_rows
        if most is not None and self.num_rows + rows > most:
            self._end(lambda: self.listener.cut(f"max_rows {most}"))
            return
        self.num_rows += rows
        self.batcher.add(
            self.owner,
            self.model,
            query,
            lambda outcome: self._answered(lane, outcome),
            on_seconds=lane.stopwatch.charge,
        )

    def _answered(self, lane: Lane, outcome: Outcome) -> None:
        if not self.ended:
            self._advance(lane, _failure(outcome) if isinstance(outcome, SaliscopeError) else outcome)

    def _keep(self, record: Record) -> None:
        self.records.append(record)
        if self.ledger is not None:
            self.ledger.add(record)
        self.listener.counted(len(self.records), self.plan.num_units)

    def _end(self, answer: Callable[[], None]) -> None:
        if self.ended:
            return
        self.ended = True
        self.batcher.cancel(self.owner)
        for lane in self.lanes.values():
            lane.steps.close()
        self.lanes.clear()
        if self.ledger is not None:
            self.ledger.close()
        answer()


def _plan(model: TextModel, asked: Evaluate) -> Plan:
    plain = msgspec.to_builtins(asked)
    return make_plan(
        model,
        plain["texts"],
        plain["methods"],
        plain["metrics"],
        target=asked.target,
        granularity=asked.granularity,
        scale=asked.scale,
        seed=asked.seed,
        interval=asked.interval,
        precomputed=asked.precomputed,
        background=asked.background,
    )


def _failure(error: SaliscopeError) -> ExplainerError:
    """The wire's error as one that a unit records with its code."""
    failure = ExplainerError(error.message)
    failure.code = error.code
    return failure
