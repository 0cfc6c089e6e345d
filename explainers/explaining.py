"""One explanation from question to result, as a generator of queries."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, get_args

from saliscope.explainers.answers import Answer
from saliscope.explainers.attribution import Attribution, Cost, Output
from saliscope.explainers.errors import BadRequest, NotCapable, listing
from saliscope.explainers.facts import CAPABILITIES, ModelView
from saliscope.explainers.finishing import Finish
from saliscope.explainers.problem import Asked, Scored
from saliscope.explainers.queries import Attend, Differentiate, Query, Solve
from saliscope.explainers.question import Question
from saliscope.explainers.registry import Method, default_method, find_method, require
from saliscope.explainers.steps import answered, without
from saliscope.explainers.targets.aiming import Aim, aiming, demand, reserve
from saliscope.explainers.targets.scalar import Scalar, Scale, Target, TargetKind, parse_scale
from saliscope.explainers.targets.wishes import Wish, parse_target
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.texts.features import Feature
from saliscope.explainers.texts.inputs import Windows, reading
from saliscope.explainers.texts.patterns import grouping
from saliscope.explainers.variants import INPUT, STATE_ROWS, Moved
from saliscope.explainers.working import Work

Explaining = Generator[Query | Attribution, Answer | None, Attribution]
Asking = Generator[Query | Attribution, Answer | None, Answer | None]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A text encoded and divided already."""

    encoding: Encoding
    features: tuple[Feature, ...]
    started: float
    """When work on it began, by `time.perf_counter`."""


@dataclass(slots=True)
class Ledger:
    """The rows that were computed so far, and those promised."""

    cost: Cost = field(default_factory=Cost)
    _states: set[Hashable] = field(default_factory=set)

    def count(self, query: Query) -> None:
        """Count the rows of a query that was answered; states at a layer take two more, once a text and reference."""
        if isinstance(query, Solve):
            return
        backward = isinstance(query, Differentiate) or (isinstance(query, Attend) and query.form == "gae")
        self.cost = self.cost.plus(query.num_rows, query.num_rows if backward else 0)
        rows = query.rows
        if isinstance(rows, Moved) and rows.layer != INPUT:
            state = query.encoding, rows.layer, rows.reference, rows.groups
            self.cost = self.cost.plus(0 if state in self._states else STATE_ROWS, 0)
            self._states.add(state)


class Answering(ModelView, Protocol):
    """A model that answers its queries by itself."""

    def answer(self, query: Query) -> Answer:
        """Compute one query."""


def explaining(model: ModelView, question: Question) -> Explaining:
    """Yield queries (answer each with `send`) and partial attributions (send None); return the final one."""
    started = time.perf_counter()
    _check(question)
    if question.windows == "stitch":
        from saliscope.explainers.stitching import stitching

        return (yield from stitching(model, question))
    room = reserve(model, parse_wish(model, question))
    if room >= model.facts.max_tokens:
        raise BadRequest(f"target: what is to follow has {room} tokens, and the model reads {model.facts.max_tokens}")
    most = model.facts.max_tokens - room if room else None
    encoding = yield from reading(model, question.input, "explain", most)
    features = yield from grouping(encoding, question.granularity)
    return (yield from explaining_prepared(model, question, Prepared(encoding, features, started)))


def explaining_prepared(model: ModelView, question: Question, prepared: Prepared) -> Explaining:
    """The same for a text that is encoded and divided."""
    ledger = Ledger()

    def ask(step: Query | Attribution) -> Asking:
        reply = yield step
        if not isinstance(step, Attribution):
            ledger.count(step)
        return reply

    return (yield from answered(_explaining(model, question, prepared, ledger), ask))


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


def parse_wish(model: ModelView, question: Question) -> Wish:
    """The target of a question, as far as it says itself."""
    return parse_target(question.target, model.facts.kinds, len(model.facts.labels))


def _explaining(model: ModelView, question: Question, prepared: Prepared, ledger: Ledger) -> Explaining:
    wish = parse_wish(model, question)
    demanded = demand(model, wish)
    name, why = (question.method, ()) if question.method else _chosen(model, demanded)
    method = find_method(name)
    hint, reasons = _hint(model, method, question)
    params, why = method.parse({**hint, **question.params}), (*why, *reasons)
    require(method, params, model.facts, demanded)
    scale, fixed = parse_scale(question.scale, wish.kind), method.scale(params)
    if fixed is not None and question.scale not in (None, fixed):
        why = (*why, f"scale {fixed}: {name} explains the {fixed}, whatever scale is asked for")
    _check_scale(model, wish, fixed or scale)
    if not prepared.features:
        raise BadRequest("text: the tokenizer leaves nothing of it; there is nothing to explain")
    aim = yield from aiming(model, wish, fixed or scale, prepared.encoding)
    work = Work(model, method, params, _ask(model, question, aim.scalar, prepared), aim)
    parts = _parts(model, aim) if wish.steps else ()
    _promise(ledger, work, len(parts))
    finish = Finish(model.facts, question, why, prepared.started)
    last = yield from _whole(work, finish, ledger)
    outputs = []
    for target, part in parts:
        scored = yield from without(Scored, replace(work, aim=part).steps())
        assert part.tails is not None
        assert part.tails.part is not None
        outputs.append(Output(target, scored.scores, scored.layer, scored.stderr, part.tails.part[0]))
    return replace(last, outputs=(*last.outputs, *outputs), cost=ledger.cost)


def _whole(work: Work, finish: Finish, ledger: Ledger) -> Explaining:
    """Run a method to its end; its estimates become partial attributions."""

    def ask(step: Query | Scored) -> Asking:
        if isinstance(step, Scored):
            return (yield finish.attribution(work, step, ledger.cost, "partial"))
        return (yield step)

    scored = yield from answered(work.steps(), ask)
    return finish.attribution(work, scored, ledger.cost, "final")


def _parts(model: ModelView, aim: Aim) -> tuple[tuple[Target, Aim], ...]:
    """The tokens of a continuation as targets of their own."""
    if aim.tails is None:
        return ()
    return tuple(
        (Target(aim.kind, model.token_text(id), id), replace(aim, tails=replace(aim.tails, part=(step, step + 1))))
        for step, id in enumerate(aim.tails.ids[0])
        if aim.tails.part is None or step >= aim.tails.part[0]
    )


def _promise(ledger: Ledger, work: Work, num_parts: int) -> None:
    """The method's rows for every tail, and once more for each part; rows that were computed already come on top."""
    promised, times = work.method.promise(work.asked, work.params), work.aim.num_rows * (1 + num_parts)
    ledger.cost = replace(
        ledger.cost,
        promised_forward_rows=promised.forward_rows * times + ledger.cost.forward_rows,
        promised_backward_rows=promised.backward_rows * times,
    )


def _check_scale(model: ModelView, wish: Wish, scale: Scale) -> None:
    has = wish.head != "class" or "probabilities" in model.facts.capabilities
    if not has and scale not in ("logit", "margin"):
        raise NotCapable(f"scale {scale} needs {CAPABILITIES['probabilities']}; {model.facts.name} has scale logit")


def _check(question: Question) -> None:
    if isinstance(question.seed, bool) or not isinstance(question.seed, int) or question.seed < 0:
        raise BadRequest(f"seed: expected a whole number from 0, got {question.seed!r}")
    if not isinstance(question.granularity, str):
        raise BadRequest(f"granularity: expected a string, got {type(question.granularity).__name__}")
    if question.windows not in get_args(Windows):
        raise BadRequest(f"windows {question.windows!r} is none of {listing(get_args(Windows))}")


def _ask(model: ModelView, question: Question, scalar: Scalar, prepared: Prepared) -> Asked:
    encoding, features = prepared.encoding, prepared.features
    return Asked(model.facts, model.constants, encoding, features, scalar, question.seed, model.find_token)


def _chosen(model: ModelView, kind: TargetKind) -> tuple[str, tuple[str, ...]]:
    name, reason = default_method(model.facts, kind)
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
