"""An evaluation as generators of queries: one for each text, and one for all of them in order.

How to drive it. `make_plan` refuses what cannot work; `plan.num_units` is the exact number of records. Run
`evaluating(plan)`, or many `evaluating_text(plan, number)` at once and let their rows share passes. Each yields queries
(answer with `send`; if an answer fails, `throw` the error in, and the unit records it) and `Record`s (send None): count
them for the progress, keep `record.to_dict()` to resume. To cancel, close the generators: records so far stand. To
resume, make the same plan and pass the units that are `done`; then `tabulate(plan, records)` with old and new ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator
from typing import Any, cast

import numpy as np

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import BadRequest, NonFinite
from saliscope.explainers.metrics.explained import explain_text
from saliscope.explainers.metrics.plan import Chosen, Entry, Plan, TheModel
from saliscope.explainers.metrics.record import Record, described
from saliscope.explainers.metrics.registry import Measured
from saliscope.explainers.metrics.subject import Explaining, Scores, Subject, Wide
from saliscope.explainers.queries import Evaluate, Outputs, Query
from saliscope.explainers.targets.scalar import Scale
from saliscope.explainers.texts.encoding import Nudge
from saliscope.explainers.texts.inputs import reading
from saliscope.explainers.texts.patterns import grouping

Evaluating = Generator[Query | Record, Answer | None, None]
Clock = Callable[[], float]
Unit = tuple[int, str]


def evaluating(plan: Plan, done: Collection[Unit] = (), clock: Clock = time.perf_counter) -> Evaluating:
    """All units that are not `done`, text by text."""
    for number in range(len(plan.items)):
        yield from evaluating_text(plan, number, done, clock)


def evaluating_text(
    plan: Plan, number: int, done: Collection[Unit] = (), clock: Clock = time.perf_counter
) -> Evaluating:
    """The units of one text that are not `done`: it is encoded once, and rows that were computed are used again.

    `clock` gives the seconds that count for this text; where many run together it should leave out the others'.
    """
    names = [name for name in plan.names if (number, name) not in done]
    if not names:
        return
    try:
        subject = yield from _open(plan, number)
    except Exception as error:
        # Whatever is wrong with one text must not end the others: it is in the records.
        message, code = described(error)
        for name in names:
            yield Record(number, name, error=message, code=code)
        return
    entries = {entry.name: entry for entry in plan.entries}
    for name in names:
        if name == TheModel:
            nothing = Scores(name, np.zeros(len(subject.features)), None, plan.scale)
            record = yield from _measured(plan, subject, nothing, alone=True)
        else:
            record = yield from _unit(plan, subject, entries[name], clock)
        yield record


def _open(plan: Plan, number: int) -> Generator[Query, Answer, Subject]:
    """Encode a text and ask what the model says of it, one row."""
    item = plan.items[number]
    if plan.target == "gold" and item.gold is None:
        raise BadRequest("text: it has no label, which target=gold would explain")
    encoding = yield from reading(plan.model, item.input, "explain")
    features = yield from grouping(encoding, plan.granularity)
    if not features:
        raise BadRequest("text: the tokenizer leaves nothing of it; there is nothing to explain")
    answer = yield Evaluate(encoding, Outputs(plan.kind))
    assert isinstance(answer, Evaluated)
    outputs = answer.values[0]
    if not np.isfinite(outputs).all():
        raise NonFinite("the model's output for this text is not finite; try float32 weights")
    index = int(outputs.argmax()) if plan.target == "predicted" else item.gold
    assert index is not None
    return Subject(
        model=plan.model,
        encoding=encoding,
        features=features,
        kind=plan.kind,
        scale=plan.scale,
        outputs=outputs,
        index=index,
        gold=item.gold,
        granularity=plan.granularity,
        seed=plan.seed,
        number=number,
        rank=plan.ranks[number],
    )


def _unit(plan: Plan, subject: Subject, entry: Entry, clock: Clock) -> Generator[Query, Answer, Record]:
    try:
        scores = yield from _scores(plan, subject, entry, clock)
    except Exception as error:
        message, code = described(error)
        return Record(subject.number, entry.name, len(subject.features), error=message, code=code)
    return (yield from _measured(plan, subject, scores, alone=False))


def _scores(plan: Plan, subject: Subject, entry: Entry, clock: Clock) -> Generator[Query, Answer, Scores]:
    """A method's scores of the text; anything that is not finite or does not fit is an error."""
    if entry.method is None:
        assert entry.scores is not None
        given: Wide = np.asarray(entry.scores[subject.number], dtype=np.float64)
        if given.shape != (len(subject.features),):
            raise BadRequest(f"{given.size} scores were given for {len(subject.features)} features")
        if not np.isfinite(given).all():
            raise NonFinite(f"the score of feature {int(np.argmax(~np.isfinite(given)))} is not finite")
        return Scores(entry.name, given, None, plan.scale)
    method = entry.method

    def again(seed: int, nudge: Nudge | None) -> Explaining:
        return explain_text(subject, method, entry.params, seed, plan.scale, nudge)

    started = clock()
    found = yield from again(subject.own_seed, None)
    cost = found.cost.forward_rows, found.cost.backward_rows
    return Scores(
        entry.name,
        found.scores.astype(np.float64),
        _ties(found),
        cast(Scale, found.scale),
        again,
        method == "random",
        cost,
        clock() - started,
    )


def _ties(found: Attribution) -> Wide | None:
    """What orders scores that a method made equal: theirs before it cut off what is negative or small."""
    for name in ("signed_scores", "correlations"):
        second = np.asarray(found.diagnostics.get(name, ()), dtype=np.float64)
        if second.shape == found.scores.shape and np.isfinite(second).all():
            return second
    return None


def _measured(plan: Plan, subject: Subject, scores: Scores, alone: bool) -> Generator[Query, Answer, Record]:
    results: dict[str, dict[str, Any]] = {}
    for chosen in plan.chosen:
        if (chosen.metric.scope == "text") == alone:
            results[chosen.metric.name] = yield from _measure(chosen, subject, scores)
    forward, backward = scores.cost if scores.cost is not None else (None, None)
    is_class = subject.kind == "class"
    best = int(subject.outputs.argmax())
    names = plan.model.facts.labels
    return Record(
        text=subject.number,
        name=scores.name,
        num_features=len(subject.features),
        label=names[subject.index] if is_class else plan.model.token_text(subject.index),
        predicted=names[best] if is_class else plan.model.token_text(best),
        correct=None if subject.gold is None else best == subject.gold,
        forward_rows=forward,
        backward_rows=backward,
        seconds=scores.seconds,
        metrics=results,
    )


def _measure(chosen: Chosen, subject: Subject, scores: Scores) -> Generator[Query, Answer, dict[str, Any]]:
    metric = chosen.metric
    if metric.labels and subject.gold is None:
        return Measured(skipped="the text has no label").to_dict()
    if metric.again and scores.again is None:
        return Measured(skipped="the scores were computed elsewhere").to_dict()
    try:
        found = yield from metric.run(subject, scores, chosen.params)
        numbers = [*(() if found.value is None else (found.value,)), *found.parts.values(), *found.curve]
        if not np.isfinite(numbers).all():
            raise NonFinite(f"{metric.name} is not finite")
    except Exception as error:
        # The other metrics of these scores are none the worse.
        message, code = described(error)
        return {"error": message, "code": code}
    return found.to_dict()
