"""Explaining the text of a subject, with its own encoding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from saliscope.explainers.attribution import Attribution
from saliscope.explainers.encoding import Encoding, Nudge
from saliscope.explainers.explaining import explaining
from saliscope.explainers.facts import ModelView
from saliscope.explainers.metrics.subject import Explaining, Subject
from saliscope.explainers.question import Question


class EncodedView:
    """A model that has encoded one text already; everything else is the model's own."""

    def __init__(self, model: ModelView, encoding: Encoding) -> None:
        self._model, self._encoding = model, encoding

    def encode(self, text: str, reserve: int = 0) -> Encoding:
        """The encoding it holds, for that text."""
        if text == self._encoding.text and not reserve:
            return self._encoding
        return self._model.encode(text, reserve)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


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
    # The view passes on what it does not define, which a type checker cannot see.
    steps = explaining(cast(ModelView, EncodedView(subject.model, encoding)), question)
    reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            result: Attribution = end.value
            return result
        reply = None if isinstance(step, Attribution) else (yield step)
