"""A request on its way through the worker: its texts as generators of queries, and its one answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from saliscope.daemon.worker.batcher import Batcher, Outcome
from saliscope.daemon.worker.errors import to_wire_error
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.sharing import Estimate, Listener
from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.explaining import Explaining, explaining
from saliscope.explainers.masking import covered, without
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Evaluate, Outputs, Query, Solve
from saliscope.explainers.question import Question
from saliscope.explainers.targets.predicting import predict_class, predict_next
from saliscope.explainers.targets.writing import Writing, Written, writing
from saliscope.explainers.texts.inputs import Input, reading
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.parameters import Explain, Generate, Mask, Predict, Target, Tokenize

TEXTS_AT_ONCE = 8
"""Texts of one request that are in work together; the others wait unencoded."""

Steps = Explaining | Iterator[Any]


@dataclass(slots=True, eq=False)
class Running:
    """One computation: starts a generator a text, at most `TEXTS_AT_ONCE` together, and gathers the results in order.

    `listener` hears of the results, of estimates, and of the texts that are done, or the rows of a single one. With
    `max_rows` no query is asked that needs more rows of the model in all; it ends with the best estimates.
    """

    owner: Owner
    model: TextModel
    steps: list[Callable[[], Any]]
    batcher: Batcher
    listener: Listener
    max_rows: int | None = None
    num_rows: int = 0
    is_full: bool = False
    wanted: int = 0
    results: dict[int, Any] = field(default_factory=dict)
    estimates: dict[int, Estimate] = field(default_factory=dict)
    open: dict[int, Any] = field(default_factory=dict)
    next_text: int = 0
    ended: bool = False

    def start(self) -> None:
        """Put the first texts to work."""
        if not self.steps:
            self._end(lambda: self.listener.finished([]))
        self._fill()

    def stop(self) -> str:
        """Stop all work, without a word to the listener; says what is kept of it, if anything is."""
        self._end(lambda: None)
        return ""

    def best(self) -> list[Any] | None:
        """The results, of texts in work their estimates; None while there is nothing of a text."""
        found = {**self.estimates, **self.results}
        return [found[index] for index in range(len(self.steps))] if len(found) == len(self.steps) else None

    @property
    def spent(self) -> str:
        """What was computed so far, in words."""
        texts = "" if len(self.steps) == 1 else f", {len(self.results)} of {len(self.steps)} texts done"
        more = f" (the next step takes {self.wanted} more)" if self.is_full else ""
        return f"{self.num_rows} row{'' if self.num_rows == 1 else 's'}{more}{texts}"

    def _fill(self) -> None:
        while not self.ended and not self.is_full and self.next_text < len(self.steps):
            if len(self.open) >= TEXTS_AT_ONCE:
                return
            index = self.next_text
            self.next_text += 1
            self.open[index] = self.steps[index]()
            self._advance(index, None)

    def _advance(self, index: int, answer: Answer | None) -> None:
        """Run one text's generator up to its next query, or to its end."""
        steps = self.open[index]
        try:
            step = steps.send(answer)
            while isinstance(step, Attribution | Written):
                self.estimates[index] = step
                self.listener.estimated(index, step)
                if len(self.steps) == 1 and isinstance(step, Attribution):
                    self.listener.counted(step.cost.forward_rows, step.cost.promised_forward_rows)
                step = steps.send(None)
        except StopIteration as end:
            self._done(index, end.value)
        except Exception as error:
            self._fail(index, to_wire_error(error))
        else:
            self._ask(index, step)

    def _ask(self, index: int, query: Query) -> None:
        rows = 0 if isinstance(query, Solve) else query.num_rows
        if self.max_rows is not None and self.num_rows + rows > self.max_rows:
            self.is_full, self.wanted = True, rows
            self.open.pop(index).close()
            self._settle()
            return
        self.num_rows += rows
        self.batcher.add(
            self.owner,
            self.model,
            query,
            lambda outcome: self._answered(index, outcome),
            is_written=len(self.steps) == 1,
        )

    def _answered(self, index: int, outcome: Outcome) -> None:
        if self.ended:
            return
        if isinstance(outcome, SaliscopeError):
            self._fail(index, outcome)
        else:
            self._advance(index, outcome)

    def _fail(self, index: int, error: SaliscopeError) -> None:
        named = error if len(self.steps) == 1 else error.numbered([index])
        self._end(lambda: self.listener.failed(named))

    def _done(self, index: int, result: Any) -> None:
        self.results[index] = result
        self.estimates.pop(index, None)
        del self.open[index]
        self.listener.counted(len(self.results), len(self.steps))
        self._settle()

    def _settle(self) -> None:
        """A text needs no more rows: end with the last one, or begin the next one."""
        if len(self.results) == len(self.steps):
            self._end(lambda: self.listener.finished([self.results[i] for i in range(len(self.steps))]))
        elif self.is_full and not self.open:
            self._end(lambda: self.listener.cut(f"max_rows {self.max_rows}"))
        else:
            self._fill()

    def _end(self, answer: Callable[[], None]) -> None:
        if self.ended:
            return
        self.ended = True
        self.batcher.cancel(self.owner)
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
    """A generator for each text of a `predict` request; each ends with (prediction, truncated_at, hidden spans)."""
    kind = model.facts.kinds[0]

    def make(given: Input, mask: Mask | None, path: str) -> Callable[[], Any]:
        def steps() -> Any:
            encoding = yield from reading(model, given, "predict")
            hidden = () if mask is None else covered(encoding, mask.spans, path)
            rows = None if mask is None else without(model.facts, encoding, hidden, mask.kind, path)
            query: Query = Evaluate(encoding, Outputs(kind), rows, outputs=True)
            answer = yield query
            assert isinstance(answer, Evaluated)
            assert answer.outputs is not None
            outputs = answer.outputs
            said = predict_class(model, outputs) if kind == "class" else predict_next(model, outputs, asked.top)
            return said.to_dict(), encoding.truncated_at, [(token.start, token.end) for token in hidden]

        return steps

    inputs = inputs_of(asked.texts, asked)
    return [make(given, *mask) for given, mask in zip(inputs, masks_of(asked.mask, len(inputs)), strict=True)]


def generate_steps(model: TextModel, asked: Generate) -> list[Callable[[], Any]]:
    """The one generator of a `generate` request; what was written so far are its estimates."""
    given = Input(asked.text, None, None if asked.messages is None else msgspec.to_builtins(asked.messages),
                  asked.add_generation_prompt is not False)  # fmt: skip

    def steps() -> Any:
        # One token at least has room behind a text that is cut.
        encoding = yield from reading(model, given, "write behind", model.facts.max_tokens - 1)
        return (
            yield from writing(model, encoding, Writing(asked.max_tokens, asked.temperature, asked.seed, asked.top))
        )

    return [steps]


def tokenize_steps(model: TextModel, asked: Tokenize) -> list[Callable[[], Any]]:
    """The one generator of a `tokenize` request; it ends with (encoding, facts), of a blank text too."""

    def steps() -> Any:
        if isinstance(asked.text, str) and asked.pair is None and asked.messages is None:
            return model.encode(asked.text), model.facts
        return (yield from reading(model, inputs_of(asked.text, asked)[0], "tokenize")), model.facts

    return [steps]


def inputs_of(texts: str | list[str] | None, asked: Explain | Predict | Tokenize) -> list[Input]:
    """What a request asks about, one input a text; a `pair` stands for all texts, a list of pairs has one for each."""
    messages = None if asked.messages is None else msgspec.to_builtins(asked.messages)
    rows = texts if isinstance(texts, list) else [texts]
    pairs = asked.pair if isinstance(asked.pair, list) else [asked.pair] * len(rows)
    if len(pairs) != len(rows):
        raise BadRequest(f"pair: {len(pairs)} of them for {len(rows)} texts; give one for each, or one for all")
    return [Input(text, pair, messages, asked.add_generation_prompt) for text, pair in zip(rows, pairs, strict=True)]


def masks_of(mask: Mask | list[Mask | None] | None, num_texts: int) -> list[tuple[Mask | None, str]]:
    """What is hidden of each text, with its path in the request; one mask stands for all texts."""
    if not isinstance(mask, list):
        return [(mask, "mask")] * num_texts
    if len(mask) != num_texts:
        raise BadRequest(f"mask: {len(mask)} of them for {num_texts} texts; give one for each, or one for all")
    return [(one, f"mask[{number}]") for number, one in enumerate(mask)]
