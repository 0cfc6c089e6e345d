"""One explanation from question to result, as a generator of queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import msgspec
import numpy as np

from saliscope.explainers.attribution import Attribution, Cost, Output, Prediction
from saliscope.explainers.encoding import Encoding, FloatArray
from saliscope.explainers.errors import BadRequest, NonFinite, listing
from saliscope.explainers.facts import ModelView
from saliscope.explainers.features import Feature
from saliscope.explainers.inputs import Input, Windows, reading
from saliscope.explainers.patterns import grouping
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Answer, Attend, Differentiate, Differentiated, Query, Solve, Solved
from saliscope.explainers.registry import Method, default_method, find_method, require
from saliscope.explainers.segments import pair_notes
from saliscope.explainers.targets import (
    KINDS,
    PREDICTED,
    Scalar,
    Scale,
    Target,
    Wish,
    find_label,
    parse_scale,
    parse_target,
)

Explaining = Generator[Query | Attribution, Answer | None, Attribution]


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks about one text; None means the default, which the result names with its reason."""

    text: str | None
    method: str | None = None
    target: object = None
    scale: str | None = None
    granularity: str = "token"
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    pair: str | None = None
    messages: Any = None
    add_generation_prompt: bool | None = None
    windows: Windows = "cut"

    @property
    def input(self) -> Input:
        """What is explained."""
        return Input(self.text, self.pair, self.messages, self.add_generation_prompt)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text encoded and divided already."""

    encoding: Encoding
    features: tuple[Feature, ...]
    started: float
    """When work on it began, by `time.perf_counter`."""


def explaining(model: ModelView, question: Question) -> Explaining:
    """Yield queries (answer each with `send`) and partial attributions (send None); return the final one."""
    started = time.perf_counter()
    _check(question)
    if question.windows == "stitch":
        from saliscope.explainers.windows import stitching

        return (yield from stitching(model, question))
    encoding = yield from reading(model, question.input, "explain")
    features = yield from grouping(encoding, question.granularity)
    return (yield from explaining_prepared(model, question, Prepared(encoding, features, started)))


def explaining_prepared(model: ModelView, question: Question, prepared: Prepared) -> Explaining:
    """The same for a text that is encoded and divided."""
    name, why = (question.method, ()) if question.method else _chosen(model)
    method = find_method(name)
    hint, reasons = _hint(model, method, question)
    params, why = method.parse({**hint, **question.params}), (*why, *reasons)
    wish = parse_target(question.target, model.facts.kinds)
    require(method, params, model.facts, wish.kind)
    scale = method.scale(params)
    asked = _ask(model, question, wish, scale, prepared)
    if scale is not None and question.scale not in (None, scale):
        why = (*why, f"scale {scale}: {name} explains the {scale}, whatever scale is asked for")
    promise = method.promise(asked, params)
    cost = Cost(promised_forward_rows=promise.forward_rows, promised_backward_rows=promise.backward_rows)

    opening = method.opening(asked, params)
    answer = yield opening
    assert answer is not None
    cost = _counted(cost, opening)
    outputs = _raw_outputs(answer)
    index = int(np.argmax(outputs)) if asked.scalar.index is None else asked.scalar.index
    target = Target(wish.kind, _label(model, wish.kind, index), index)
    problem = Problem(asked, target, asked.scalar.at(index), answer)
    finish = _Finish(
        model, question, method, params, problem, predict(model, wish.kind, outputs), why, prepared.started
    )

    steps = method.run(problem, params)
    if isinstance(steps, Scored):
        return finish.attribution(steps, cost, "final")
    reply: Answer | None = None
    while True:
        try:
            step = steps.send(reply) if reply is not None else next(steps)
        except StopIteration as end:
            return finish.attribution(end.value, cost, "final")
        if isinstance(step, Scored):
            yield finish.attribution(step, cost, "partial")
            reply = None
        else:
            reply = yield step
            cost = _counted(cost, step)


def drive(
    steps: Explaining,
    answer: Callable[[Query], Answer],
    on_partial: Callable[[Attribution], None] | None = None,
) -> Attribution:
    """Run an explanation to its end, one query after another."""
    reply: Answer | None = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            result: Attribution = end.value
            return result
        if isinstance(step, Attribution):
            reply = None
            if on_partial is not None:
                on_partial(step)
        else:
            reply = answer(step)


def predict(model: ModelView, kind: str, outputs: FloatArray, top: int = 10) -> Prediction:
    """The prediction in raw `outputs [C]`: every class, or the `top` likeliest next tokens."""
    facts = model.facts
    probabilities = _probabilities(outputs, facts.activation if kind == "class" else "softmax")
    best = int(np.argmax(outputs))
    if kind == "class":
        named = {facts.labels[i]: float(p) for i, p in enumerate(probabilities)}
        return Prediction("class", facts.labels[best], best, named)
    order = np.argsort(-probabilities, kind="stable")[:top]
    likely: dict[str, float] = {}
    for token_id in order:
        text = model.token_text(int(token_id))
        likely[text] = likely.get(text, 0.0) + float(probabilities[token_id])
    return Prediction("next-token", model.token_text(best), best, likely)


@dataclass(frozen=True, slots=True)
class _Finish:
    """Everything of a result that does not change from one estimate to the next."""

    model: ModelView
    question: Question
    method: Method
    params: msgspec.Struct
    problem: Problem
    prediction: Prediction
    why: tuple[str, ...]
    started: float

    def attribution(self, scored: Scored, cost: Cost, estimate: Literal["partial", "final"]) -> Attribution:
        """The result with these scores; anything that is not finite is `NonFinite`."""
        problem, facts = self.problem, self.model.facts
        for scores in (scored.scores, *scored.layers.values()):
            if not np.isfinite(scores).all():
                where = int(np.argmax(~np.isfinite(scores)))
                raise NonFinite(f"the score of feature {where} is not finite; try float32 weights or another method")
        first = Output(problem.target, scored.scores.astype(np.float32), scored.layer, scored.stderr)
        value = scored.value
        if value is None:
            value = problem.opening.value if isinstance(problem.opening, Differentiated) else float("nan")
        return Attribution(
            text=problem.encoding.text,
            model=facts.name,
            method=self.method.name,
            params={**msgspec.to_builtins(self.params), **scored.params},
            target=problem.target,
            scale=problem.scalar.scale,
            granularity=self.question.granularity,
            prediction=self.prediction,
            tokens=problem.encoding.tokens,
            features=problem.features,
            outputs=(first, *_other_layers(problem, scored), *_other_classes(problem, scored, facts.labels)),
            value=float(value),
            base_value=scored.base_value,
            signed=self.method.signed if scored.signed is None else scored.signed,
            additive=self.method.additive if scored.additive is None else scored.additive,
            baseline=scored.baseline,
            seed=self.question.seed,
            estimate=estimate,
            cost=cost,
            timing_ms={"total": (time.perf_counter() - self.started) * 1e3},
            truncated_at=problem.encoding.truncated_at,
            fingerprint=facts.fingerprint,
            why=self.why,
            diagnostics=scored.diagnostics,
            warnings=(*_truncation(problem.encoding), *_first_piece(self.question, problem.target), *scored.warnings),
            segments=problem.encoding.segments,
        )


def _check(question: Question) -> None:
    if isinstance(question.seed, bool) or not isinstance(question.seed, int) or question.seed < 0:
        raise BadRequest(f"seed: expected a whole number from 0, got {question.seed!r}")
    if not isinstance(question.granularity, str):
        raise BadRequest(f"granularity: expected a string, got {type(question.granularity).__name__}")
    if question.windows not in get_args(Windows):
        raise BadRequest(f"windows {question.windows!r} is none of {listing(get_args(Windows))}")


def _ask(model: ModelView, question: Question, wish: Wish, fixed: Scale | None, prepared: Prepared) -> Asked:
    asked = parse_scale(question.scale, wish.kind)
    scale = fixed or asked
    encoding, features = prepared.encoding, prepared.features
    if not features:
        raise BadRequest("text: the tokenizer leaves nothing of it; there is nothing to explain")
    scalar = Scalar(wish.kind, _index(model, wish), scale)
    return Asked(model.facts, model.constants, encoding, features, scalar, question.seed, model.find_token)


def _index(model: ModelView, wish: Wish) -> int | None:
    if wish.label is None:
        return None
    if wish.kind == "class":
        return find_label(wish.label, model.facts.labels)
    if isinstance(wish.label, str):
        return model.find_token(wish.label)
    if not 0 <= wish.label < model.facts.vocab_size:
        raise BadRequest(f"target: token id {wish.label} is out of range; there are {model.facts.vocab_size}")
    return wish.label


def _label(model: ModelView, kind: str, index: int) -> str:
    return model.facts.labels[index] if kind == "class" else model.token_text(index)


def _chosen(model: ModelView) -> tuple[str, tuple[str, ...]]:
    name, reason = default_method(model.facts)
    return name, (f"method {name}: {reason}",)


def _hint(model: ModelView, method: Method, question: Question) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the checkpoint recommends for parameters that nobody gave, and a line for each.

    A checkpoint may not name another model to be loaded.
    """
    found = model.facts.hints.get(method.name, {})
    hint = {key: value for key, value in found.items() if key not in question.params and key not in method.lenders}
    try:
        method.parse(hint)
    except BadRequest as error:
        return {}, (f"what {model.facts.name} recommends was ignored ({error.message})",)
    return hint, tuple(f"{key} {value}: recommended by {model.facts.name} itself" for key, value in hint.items())


def _counted(cost: Cost, query: Query) -> Cost:
    if isinstance(query, Solve):
        return cost
    backward = isinstance(query, Differentiate) or (isinstance(query, Attend) and query.form == "gae")
    return cost.plus(query.num_rows, query.num_rows if backward else 0)


def _raw_outputs(answer: Answer) -> FloatArray:
    outputs = None if isinstance(answer, Solved) else answer.outputs
    if outputs is None:
        raise TypeError("an opening query must read the raw outputs")
    if not np.isfinite(outputs).all():
        raise NonFinite("the model's output for this text is not finite; try float32 weights")
    return outputs


def _probabilities(outputs: FloatArray, activation: str) -> FloatArray:
    wide = outputs.astype(np.float64)
    if activation == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-wide)), dtype=np.float32)
    shifted = np.exp(wide - wide.max())
    return np.asarray(shifted / shifted.sum(), dtype=np.float32)


def _other_layers(problem: Problem, scored: Scored) -> tuple[Output, ...]:
    return tuple(
        Output(problem.target, scores.astype(np.float32), layer) for layer, scores in sorted(scored.layers.items())
    )


def _other_classes(problem: Problem, scored: Scored, labels: tuple[str, ...]) -> tuple[Output, ...]:
    if scored.every is None:
        return ()
    return tuple(
        Output(Target(problem.target.kind, labels[c], c), scored.every[:, c].astype(np.float32), scored.layer)
        for c in range(scored.every.shape[1])
        if c != problem.target.index
    )


def _first_piece(question: Question, target: Target) -> tuple[str, ...]:
    asked = question.target.get("label") if isinstance(question.target, Mapping) else question.target
    if target.kind != "next-token" or not isinstance(asked, str) or asked in (PREDICTED, *KINDS):
        return ()
    if target.label.strip() == asked.strip():
        return ()
    return (f"target: {asked!r} is more than one token; what is explained is its first, {target.label!r}",)


def _truncation(encoding: Encoding) -> tuple[str, ...]:
    if encoding.segments:
        return pair_notes(encoding)
    if encoding.truncated_at is None:
        return ()
    return (f"the model's length ends the text at character {encoding.truncated_at}; the rest was not seen",)
