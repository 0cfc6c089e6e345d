"""Explaining the text of a subject, with its own encoding."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from saliscope.explainers.attribution import Attribution
from saliscope.explainers.explaining import Prepared, explaining_prepared
from saliscope.explainers.metrics.subject import Explaining, Subject
from saliscope.explainers.question import Question
from saliscope.explainers.steps import without
from saliscope.explainers.texts.encoding import Nudge


def explain_text(
    subject: Subject,
    method: str,
    params: Mapping[str, Any],
    seed: int,
    scale: str | None = None,
    nudge: Nudge | None = None,
) -> Explaining:
    """Explain the subject's output; the generator asks only queries, estimates on the way are dropped."""
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
    return (yield from without(Attribution, steps))
