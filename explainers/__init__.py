"""Explanation methods: pure computation over one loaded model.

model = load("demo-encoder")
explain(model, "a dull, lifeless and boring film").top(3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import ExplainerError
from saliscope.explainers.explaining import Question, drive, explaining
from saliscope.explainers.registry import methods

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from saliscope.explainers.inputs import Windows
    from saliscope.explainers.textmodel import TextModel

__all__ = ["Attribution", "ExplainerError", "Question", "explain", "load", "methods"]


def load(name: str, device: str = "auto", **options: Any) -> TextModel:
    """Load "demo-encoder", "demo-decoder", a folder or a hub id; see `loading.load` for the options."""
    from saliscope.explainers.loading import load as load_now

    return load_now(name, device, **options)


def explain(
    model: TextModel,
    text: str | None = None,
    method: str | None = None,
    target: object = None,
    scale: str | None = None,
    granularity: str = "token",
    seed: int = 0,
    on_partial: Callable[[Attribution], None] | None = None,
    *,
    pair: str | None = None,
    messages: Sequence[Mapping[str, str]] | None = None,
    add_generation_prompt: bool | None = None,
    windows: Windows = "cut",
    **params: Any,
) -> Attribution:
    """Explain one text; `.scores [n]` aligns with `.features`. None means a default, named in `.why`.

    `granularity` is token, word, sentence, line or `regex:PATTERN`. A `pair` is a second text beside the first;
    `messages`, `{"role": …, "content": …}` each, stand in place of a text; `.segments` says where each lies in `.text`.
    A text that is too long is cut, or with `windows="stitch"` explained in overlapping windows.

    `target` is a label, an index, or `{"kind": "class" | "next-token", "label": …}`; `params` are the method's own.
    Raises `ExplainerError` with a code and what would work.
    """
    question = Question(
        text, method, target, scale, granularity, seed, params, pair, messages, add_generation_prompt, windows
    )
    return drive(explaining(model, question), model.answer, on_partial)
