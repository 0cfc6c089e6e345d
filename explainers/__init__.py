"""Explanation methods: pure computation over one loaded model.

model = load("demo-encoder")
explain(model, "a dull, lifeless and boring film").top(3)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import BadRequest, ExplainerError
from saliscope.explainers.explaining import Answering, drive, explaining
from saliscope.explainers.plain import plain
from saliscope.explainers.question import Question
from saliscope.explainers.registry import methods

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Literal

    from saliscope.explainers.foreign.calls import CallableModel
    from saliscope.explainers.metrics.evaluation import Evaluation
    from saliscope.explainers.models.textmodel import TextModel
    from saliscope.explainers.texts.inputs import Windows

__all__ = ["Attribution", "ExplainerError", "Question", "evaluate", "explain", "load", "methods", "wrap", "wrap_module"]


def load(name: str, device: str = "auto", **options: Any) -> TextModel:
    """Load "demo-encoder", "demo-decoder", a folder or a hub id; see `loading.load` for the options."""
    from saliscope.explainers.models.loading import load as load_now

    return load_now(name, device, **options)


def wrap(
    predict: Callable[[list[str]], Any],
    labels: Sequence[str],
    *,
    name: str = "predict",
    mask: str | None = None,
    max_batch: int = 32,
    outputs: Literal["logits", "probabilities"] = "logits",
    activation: Literal["softmax", "sigmoid", "identity"] | None = None,
) -> CallableModel:
    """A model of any function from texts to an array `[B, C]`, for `explain` with methods that only ask for outputs.

    Words are the tokens; a hidden one gives way to `mask` in its place, or is left out where `mask` is None. `predict`
    gets at most `max_batch` texts at once. Probabilities become logits by their logarithm (floor 1e-7). `activation` is
    softmax for several labels; sigmoid is for labels that do not exclude each other; one label has a sigmoid, or is a
    number of its own (identity). Raises BadRequest.
    """
    from saliscope.explainers.foreign.calls import CallableModel as Model

    return Model(predict, labels, name, mask, max_batch, outputs, activation)


def wrap_module(module: Any, tokenizer: Any, **options: Any) -> TextModel:
    """A model of a torch classifier, for `explain` with methods that need no layers: gradients, MASE, perturbation.

    `embedding` is the module's `nn.Embedding`, `labels` the classes. `tokenizer` is a Hugging Face one, or a function
    from a text to one id a word or `(id, start, end)` a token. `forward` maps ids `[B, T]` to outputs `[B, C]` where
    the module's own call does not; rows of one call have one length and no padding. `pad_id` (0) and `mask_id` (the pad
    id) are a Hugging Face tokenizer's own unless given; `name`, `max_tokens`, `outputs` and `activation` as in `wrap`.

    The module is put in evaluation mode; its weights, gradients and hooks stay as they are. Wrap it anew after training
    it further. Raises BadRequest, NotCapable.
    """
    from saliscope.explainers.foreign.wrapping import wrap_module as wrap_now

    return wrap_now(module, tokenizer, **options)


def explain(
    model: Answering,
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

    `target` is a label, an index, or a map with a `kind` (class, contrast, next-token, label-words, continuation,
    contrast-continuation) and the fields of that kind (`wishes.FIELDS`); `params` are the method's own. Numbers may be
    those of numpy and torch.
    Raises `ExplainerError` with a code and what would work.
    """
    if not hasattr(model, "facts"):
        kind = type(model).__name__
        raise BadRequest(f"model: expected what load, wrap or wrap_module give, got {kind}; wrap(predict, labels=…)?")
    question = Question(
        text,
        method,
        plain(target),
        scale,
        granularity,
        plain(seed),
        plain(params),
        pair,
        messages,
        add_generation_prompt,
        windows,
    )
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
