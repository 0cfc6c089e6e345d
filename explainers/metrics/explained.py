"""Explaining the text of a subject, with its own encoding."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from saliscope.explainers.answers import Answer
from saliscope.explainers.attribution import Attribution
from saliscope.explainers.explaining import Asking, Prepared, explaining_prepared
from saliscope.explainers.metrics.subject import Explaining, Subject
from saliscope.explainers.queries import Query, Solve
from saliscope.explainers.question import Question
from saliscope.explainers.steps import answered
from saliscope.explainers.texts.encoding import Nudge


def explain_text(
    subject: Subject,
    method: str,
    params: Mapping[str, Any],
    seed: int,
    scale: str | None = None,
    nudge: Nudge | None = None,
) -> Explaining:
    """Explain the subject's output; the generator asks only queries, estimates on the way are dropped.

    The row of the empty text, once for a model, is no text's cost: which texts meet it first is chance.
    """
    encoding = subject.encoding if nudge is None else replace(subject.encoding, nudge=nudge)
    question = Question(
        text=encoding.text,
        method=method,
        target={"kind": subject.kind, "label": subject.index},
        scale=scale,
        granularity=subject.granularity,
        seed=seed,
        params=params,
    )
    steps = explaining_prepared(subject.model, question, Prepared(encoding, subject.features, time.perf_counter()))
    shared = 0

    def ask(step: Query | Attribution) -> Asking:
        nonlocal shared
        if isinstance(step, Attribution):
            return None
        reply: Answer | None = yield step
        if not isinstance(step, Solve) and not step.encoding.text:
            shared += step.num_rows
        return reply

    found: Attribution = yield from answered(steps, ask)
    return replace(found, cost=found.cost.plus(-shared, 0))
