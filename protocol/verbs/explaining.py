"""Explanations, and how good the methods are that give them."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Unpack, overload

from saliscope.protocol.evaluations import Evaluation
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.listening import OnPartial, OnProgress, listener
from saliscope.protocol.parameters import Target
from saliscope.protocol.results import Explanations
from saliscope.protocol.validate import read
from saliscope.protocol.verbs.given import RunOptions, declared, model_here, path_here, source
from saliscope.protocol.verbs.verb import Awaited, Blocking, Call, answer, verb

Texts = list[str] | tuple[str, ...]


class ExplainOptions(RunOptions, total=False):
    """How to explain; what is left out is the daemon's choice (`parameters.Explain` has the meaning of each)."""

    model: str | None
    method: str | None
    target: Target | str | int | None
    scale: str | None
    granularity: str | None
    seed: int
    params: dict[str, Any] | None
    download: bool
    pair: str | Sequence[str] | None
    messages: Sequence[Mapping[str, str]] | None
    add_generation_prompt: bool | None
    windows: str | None
    keep_alive: float | None
    deterministic: bool


class EvaluateOptions(RunOptions, total=False):
    """What to compare and how (`evaluations.Evaluate` has the meaning of each)."""

    model: str | None
    methods: Sequence[str | Mapping[str, Any]] | None
    metrics: Sequence[str | Mapping[str, Any]] | None
    target: str
    scale: str | None
    granularity: str
    seed: int
    interval: str
    precomputed: Mapping[str, Sequence[Sequence[float]]]
    background: Sequence[str] | None
    cheap: float
    out: str | None
    download: bool
    keep_alive: float | None


class ExplainingVerbs:
    """Explain texts, and evaluate methods."""

    # One signature for each kind of client and of text: what a method gives cannot be told of both at once.
    @overload
    def explain(
        self: Blocking,
        text: str | None = None,
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Explanation: ...
    @overload
    def explain(
        self: Blocking,
        text: Texts,
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> list[Explanation]: ...
    @overload
    def explain(
        self: Awaited,
        text: str | None = None,
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Coroutine[Any, Any, Explanation]: ...
    @overload
    def explain(
        self: Awaited,
        text: Texts,
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Coroutine[Any, Any, list[Explanation]]: ...
    def explain(
        self: Any,
        text: str | Texts | None = None,
        *,
        on_partial: OnPartial | None = None,
        on_progress: OnProgress | None = None,
        **options: Unpack[ExplainOptions],
    ) -> Any:
        """Which tokens decided: one explanation for a text, a list for a list; estimates go to `on_partial`.

        `options`: model, method, target, scale, granularity, seed, params (of the method), download, windows, and
        `pair` (a second text) or, with no text, `messages` (`{role, content}` each) and `add_generation_prompt`;
        priority, max_ms, max_rows (what ends early is a partial estimate) and supersede (the older one then fails).
        """
        fields = {"stream": on_partial is not None, **source(text=text), **_explain_fields(options)}
        read_it = _read_many if isinstance(text, list | tuple) else answer(Explanation)
        return self.ask(Call("explain", read_it, fields, listener(on_progress, on_partial)))

    @verb
    def evaluate(
        self,
        texts: Sequence[str | Mapping[str, Any] | tuple[str, str | int]],
        *,
        on_progress: OnProgress | None = None,
        **options: Unpack[EvaluateOptions],
    ) -> Call[Evaluation]:
        """Compare methods by metrics on texts, pairs (text, label) or maps of text, pair or messages, and label.

        `options`: model, methods, metrics, target, scale, granularity, seed, interval, precomputed, background, cheap,
        out (a folder; the same call goes on there), download; priority, max_ms, max_rows, supersede.
        """
        rows = [{"text": one[0], "label": one[1]} if isinstance(one, tuple) else one for one in texts]
        fields = declared("evaluate", options, EvaluateOptions)
        if isinstance(out := fields.get("out"), str):
            fields["out"] = path_here(out)
        return Call("evaluate", answer(Evaluation), {"texts": rows, **fields}, listener(on_progress))


def _explain_fields(options: ExplainOptions) -> dict[str, Any]:
    fields = declared("explain", options, ExplainOptions)
    if isinstance(lender := (fields.get("params") or {}).get("lm_head_from"), str):
        fields["params"] = {**fields["params"], "lm_head_from": model_here(lender)}
    return {**fields, **source(**fields)}


def _read_many(result: Any) -> list[Explanation]:
    """The answer to `explain` with many texts; warnings about the request as a whole are added to each explanation."""
    answered = read(result, Explanations)
    for explanation in answered.explanations:
        explanation.warnings.extend(answered.warnings)
    return answered.explanations
