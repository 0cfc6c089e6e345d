"""A request on its way through the worker: its texts as generators of queries, and its one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from saliscope.daemon.worker.batcher import Batcher, Outcome
from saliscope.daemon.worker.errors import to_wire_error
from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.explaining import Explaining, explaining
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Evaluate, Outputs, Query
from saliscope.explainers.question import Question
from saliscope.explainers.targets.predicting import predict_class, predict_next
from saliscope.explainers.texts.inputs import Input, reading
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.parameters import Explain, Predict, Target, Tokenize

TEXTS_AT_ONCE = 8
"""Texts of one request that are in work together; the others wait unencoded."""

Steps = Explaining | Iterator[Any]


@dataclass(slots=True, eq=False)
class Running:
    """One request: starts a generator a text, at most `TEXTS_AT_ONCE` together, and gathers the results in order.

    `finish` gets all results, `fail` the first error; `on_partial` gets (index, attribution); `on_done`
    counts the texts that are done, or the rows of a single one.
    """

    id: int
    model: TextModel
    steps: list[Callable[[], Any]]
    batcher: Batcher
    finish: Callable[[list[Any]], None]
    fail: Callable[[SaliscopeError], None]
    on_partial: Callable[[int, Attribution], None] | None = None
    on_done: Callable[[int, int], None] | None = None
    results: dict[int, Any] = field(default_factory=dict)
    open: dict[int, Any] = field(default_factory=dict)
    next_text: int = 0
    ended: bool = False

    def start(self) -> None:
        """Put the first texts to work."""
        if not self.steps:
            self._end(lambda: self.finish([]))
        self._fill()

    def cancel(self) -> None:
        """Stop all work and answer `cancelled`."""
        self._end(lambda: self.fail(SaliscopeError("cancelled", "the client cancelled this request")))

    def _fill(self) -> None:
        while not self.ended and self.next_text < len(self.steps) and len(self.open) < TEXTS_AT_ONCE:
            index = self.next_text
            self.next_text += 1
            self.open[index] = self.steps[index]()
            self._advance(index, None)

    def _advance(self, index: int, answer: Answer | None) -> None:
        """Run one text's generator up to its next query, or to its end."""
        steps = self.open[index]
        try:
            step = steps.send(answer)
            while isinstance(step, Attribution):
                if self.on_partial is not None:
                    self.on_partial(index, step)
                if self.on_done is not None and len(self.steps) == 1:
                    self.on_done(step.cost.forward_rows, step.cost.promised_forward_rows)
                step = steps.send(None)
        except StopIteration as end:
            self._done(index, end.value)
        except Exception as error:
            wire = to_wire_error(error)
            self._end(lambda: self.fail(wire))
        else:
            self.batcher.add(self.id, self.model, step, lambda outcome: self._answered(index, outcome))

    def _answered(self, index: int, outcome: Outcome) -> None:
        if self.ended:
            return
        if isinstance(outcome, SaliscopeError):
            self._end(lambda: self.fail(outcome))
        else:
            self._advance(index, outcome)

    def _done(self, index: int, result: Any) -> None:
        self.results[index] = result
        del self.open[index]
        if self.on_done is not None:
            self.on_done(len(self.results), len(self.steps))
        if len(self.results) == len(self.steps):
            self._end(lambda: self.finish([self.results[i] for i in range(len(self.steps))]))
        else:
            self._fill()

    def _end(self, answer: Callable[[], None]) -> None:
        if self.ended:
            return
        self.ended = True
        self.batcher.cancel(self.id)
        for steps in self.open.values():
            steps.close()
        self.open.clear()
        answer()


def explain_steps(model: TextModel, asked: Explain) -> list[Callable[[], Explaining]]:
    """A generator for each text of an `explain` request."""
    target = msgspec.to_builtins(asked.target) if isinstance(asked.target, Target) else asked.target

    def make(given: Input) -> Callable[[], Explaining]:
        question = Question(
            given.text, asked.method, target, asked.scale, asked.granularity, asked.seed, asked.params,
            given.pair, given.messages, given.add_generation_prompt, asked.windows,
        )  # fmt: skip
        return lambda: explaining(model, question)

    return [make(given) for given in inputs_of(asked.text, asked)]


def predict_steps(model: TextModel, asked: Predict) -> list[Callable[[], Any]]:
    """A generator for each text of a `predict` request; each ends with (prediction, truncated_at)."""
    kind = model.facts.kinds[0]

    def make(given: Input) -> Callable[[], Any]:
        def steps() -> Any:
            encoding = yield from reading(model, given, "predict")
            query: Query = Evaluate(encoding, Outputs(kind), outputs=True)
            answer = yield query
            assert isinstance(answer, Evaluated)
            assert answer.outputs is not None
            outputs = answer.outputs
            said = predict_class(model, outputs) if kind == "class" else predict_next(model, outputs, asked.top)
            return said.to_dict(), encoding.truncated_at

        return steps

    return [make(given) for given in inputs_of(asked.texts, asked)]


def tokenize_steps(model: TextModel, asked: Tokenize) -> list[Callable[[], Any]]:
    """The one generator of a `tokenize` request; it ends with the encoding, of a blank text too."""

    def steps() -> Any:
        if isinstance(asked.text, str) and asked.pair is None and asked.messages is None:
            return model.encode(asked.text)
        return (yield from reading(model, inputs_of(asked.text, asked)[0], "tokenize"))

    return [steps]


def inputs_of(texts: str | list[str] | None, asked: Explain | Predict | Tokenize) -> list[Input]:
    """What a request asks about, one input a text; a `pair` stands for all texts, a list of pairs has one for each."""
    messages = None if asked.messages is None else msgspec.to_builtins(asked.messages)
    rows = texts if isinstance(texts, list) else [texts]
    pairs = asked.pair if isinstance(asked.pair, list) else [asked.pair] * len(rows)
    if len(pairs) != len(rows):
        raise BadRequest(f"pair: {len(pairs)} of them for {len(rows)} texts; give one for each, or one for all")
    return [Input(text, pair, messages, asked.add_generation_prompt) for text, pair in zip(rows, pairs, strict=True)]
