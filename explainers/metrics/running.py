"""Evaluating with a model that is at hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from saliscope.explainers.answers import Answer
from saliscope.explainers.metrics.evaluating import Evaluating, evaluating, evaluating_text
from saliscope.explainers.metrics.evaluation import Evaluation
from saliscope.explainers.metrics.plan import make_plan
from saliscope.explainers.metrics.record import Record
from saliscope.explainers.metrics.tabulating import tabulate
from saliscope.explainers.queries import Query

if TYPE_CHECKING:
    from saliscope.explainers.models.textmodel import TextModel

Progress = Callable[[int, int, Record], None]
"""Called with the units done, the units in all and the record that was made."""


def evaluate(
    model: TextModel,
    records: Sequence[Any],
    methods: Sequence[str | Mapping[str, Any]] | None = None,
    metrics: Sequence[str | Mapping[str, Any]] | None = None,
    *,
    on_progress: Progress | None = None,
    resume: Iterable[Record] = (),
    lanes: int = 8,
    cheap: float = 1.0,
    **options: Any,
) -> Evaluation:
    """Compare methods by metrics on labelled texts; see `make_plan` for what may be given and for the options.

    Texts run `lanes` at a time and share passes; on a function of texts they go one after another. `resume` are records
    of the same evaluation that are not computed again. What fails on one text is in the result; what cannot work at all
    is an `ExplainerError` at once.
    """
    plan = make_plan(model, records, methods, metrics, **options)
    found = [record for record in resume if record.text < len(plan.items) and record.name in plan.names]
    done = {record.unit for record in found}

    def keep(record: Record) -> None:
        found.append(record)
        if on_progress is not None:
            on_progress(len(found), plan.num_units, record)

    if lanes == 1 or not hasattr(model, "compute"):
        drive_units(evaluating(plan, done), model.answer, keep)
    else:
        from saliscope.explainers.metrics.together import run_together

        # Texts of like length run side by side, so that little of a pass is padding.
        numbers = sorted(range(len(plan.items)), key=lambda number: len(plan.items[number].text))
        run_together(model, [partial(_start, plan, number, done) for number in numbers], keep, lanes)
    return tabulate(plan, found, cheap)


def _start(plan: Any, number: int, done: Collection[tuple[int, str]], clock: Callable[[], float]) -> Evaluating:
    return evaluating_text(plan, number, done, clock)


def drive_units(steps: Evaluating, answer: Callable[[Query], Answer], on_record: Callable[[Record], None]) -> None:
    """Run units one query after another; an answer that fails goes to the unit that asked."""
    reply: Answer | Exception | None = None
    while True:
        try:
            step = steps.throw(reply) if isinstance(reply, Exception) else steps.send(reply)
        except StopIteration:
            return
        if isinstance(step, Record):
            reply = None
            on_record(step)
        else:
            try:
                reply = answer(step)
            except Exception as error:
                # It belongs to the unit, which records it.
                reply = error
