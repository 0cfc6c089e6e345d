"""Explanation methods: pure computation over one loaded model.

model = load("demo-encoder")
explain(model, "a dull, lifeless and boring film").top(3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import ExplainerError
from saliscope.explainers.explaining import drive, explaining
from saliscope.explainers.question import Question
from saliscope.explainers.registry import methods

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from saliscope.explainers.metrics.evaluation import Evaluation
    from saliscope.explainers.textmodel import TextModel

__all__ = ["Attribution", "ExplainerError", "Question", "evaluate", "explain", "load", "methods"]


def load(name: str, device: str = "auto", **options: Any) -> TextModel:
    """Load "demo-encoder", "demo-decoder", a folder or a hub id; see `loading.load` for the options."""
    from saliscope.explainers.loading import load as load_now

    return load_now(name, device, **options)


def explain(
    model: TextModel,
    text: str,
    method: str | None = None,
    target: object = None,
    scale: str | None = None,
    granularity: str = "token",
    seed: int = 0,
    on_partial: Callable[[Attribution], None] | None = None,
    **params: Any,
) -> Attribution:
    """Explain one text; `.scores [n]` aligns with `.features`. None means a default, named in `.why`.

    `target` is a label, an index, or a map with a `kind` (class, contrast, next-token, label-words, continuation,
    contrast-continuation) and the fields of that kind (`wishes.FIELDS`); `params` are the method's own.
    Raises `ExplainerError` with a code and what would work.
    """
    question = Question(text, method, target, scale, granularity, seed, params)
    return drive(explaining(model, question), model.answer, on_partial)


def evaluate(
    model: TextModel,
    records: Sequence[Any],
    methods: Sequence[str | Mapping[str, Any]] | None = None,
    metrics: Sequence[str | Mapping[str, Any]] | None = None,
    **options: Any,
) -> Evaluation:
    """Compare methods by metrics on the same texts; every number has a 95 % interval.

    `records` are texts, pairs (text, label) or maps; see `metrics.plan.make_plan` and `metrics.running.evaluate` for
    what else may be given. Raises `ExplainerError` for what cannot work; what fails on one text is in the result.
    """
    from saliscope.explainers.metrics.running import evaluate as evaluate_now

    return evaluate_now(model, records, methods, metrics, **options)
