"""What there is to choose from, given what is known of models and methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from saliscope.protocol.explanation import Explanation
from saliscope.protocol.ranges import properties
from saliscope.protocol.results import MethodInfo, ModelInfo
from saliscope.tui.choices import Choices
from saliscope.tui.screens.picker import Choice

GRANULARITIES = (
    Choice("token", "token", "the pieces that the model sees"),
    Choice("word", "word"),
    Choice("sentence", "sentence"),
    Choice("line", "line"),
)
FORMATS = (
    Choice("text", "text", "the whole text is one record"),
    Choice("lines", "lines", "each line"),
    Choice("paragraphs", "paragraphs", "each paragraph"),
    Choice("markdown", "markdown", "paragraphs, headings and list items"),
    Choice("jsonl", "jsonl", "each line is a JSON record"),
    Choice("csv", "csv", "each row below the header"),
    Choice("tsv", "tsv", "each row below the header"),
    Choice("json", "json", "each entry of a list"),
    Choice("yaml", "yaml", "each entry of a list"),
    Choice("prompt", "prompt", "a prompt or chat with roles"),
)


@dataclass(frozen=True, slots=True)
class Question:
    """One picker: its title, what to choose from, what is chosen now, and what else may be typed."""

    title: str
    choices: Sequence[Choice]
    now: str | None
    free: str = ""


def question(
    name: str,
    choices: Choices,
    models: Sequence[ModelInfo],
    methods: Sequence[MethodInfo],
    model: ModelInfo | None,
    method: MethodInfo | None = None,
) -> Question:
    """The picker of a choice: model, method, target, granularity, format, or the layer that a method reads."""
    if name == "model":
        return Question("Model", model_choices(models), choices.model, "search, or type a folder or hub id")
    if name == "method":
        return Question("Method", method_choices(methods, model), choices.method)
    if name == "target":
        free = "search, or type contrast:A vs B, next-token: good, …"
        return Question("What is explained", target_choices(model), choices.target, free)
    if name == "format":
        return Question("Read the text as", FORMATS, choices.format)
    if name == "layer":
        now = choices.params.get("layer")
        return Question("Layer that is read", layer_choices(method, model), None if now is None else str(now))
    return Question("What gets a score", GRANULARITIES, choices.granularity, "search, or type regex:PATTERN")


def model_choices(models: Sequence[ModelInfo]) -> list[Choice]:
    """The models that the daemon knows, behind its own choice."""
    rows = [Choice(None, "the daemon's choice", "by what fits the text")]
    for model in models:
        facts = [model.state, model.kind, model.device, f"{model.num_bytes / 1e6:.0f} MB" if model.num_bytes else ""]
        rows.append(Choice(model.name, model.name, " · ".join(fact for fact in facts if fact)))
    return rows


def fits(method: MethodInfo, model: ModelInfo | None) -> bool:
    """Whether a method can explain what a model answers; one that is not loaded yet gets the benefit of the doubt."""
    if model is None or not model.capabilities:
        return True
    has = set(model.capabilities)
    return set(method.needs) <= has and bool({"class", "next-token"} & has & set(method.targets))


def method_choices(methods: Sequence[MethodInfo], model: ModelInfo | None) -> list[Choice]:
    """The methods that fit the model, behind the daemon's choice."""
    default = f"{model.default_method} for this model" if model is not None and model.default_method else ""
    rows = [Choice(None, "the daemon's choice", default)]
    found = [method for method in methods if fits(method, model)]
    return rows + [Choice(method.name, method.name, f"{method.summary} Cost: {method.cost}.") for method in found]


def target_choices(model: ModelInfo | None) -> list[Choice]:
    """The model's own answer, its labels, and the forms that need no further words."""
    labels = [] if model is None else model.labels
    rows = [Choice(None, "the model's answer", "the predicted class or the likeliest next token")]
    rows += [Choice(label, label, "class") for label in labels]
    rows.append(Choice("contrast", "contrast", "the answer rather than the strongest other"))
    if not labels:
        rows.append(Choice("next-token", "next-token", "the likeliest next token"))
        rows.append(Choice("continuation", "continuation", "what the model itself would write"))
    rows.append(Choice("gold", "gold", "the label of each record of a data set"))
    return rows


def has_layer(method: MethodInfo) -> bool:
    """Whether a method reads a layer that can be chosen."""
    return "layer" in properties(method.params)


def layer_name(layer: int | None) -> str:
    """A layer as people call it; empty for none."""
    return "" if layer is None else f"layer {layer}" if layer else "embeddings"


def layer_choices(method: MethodInfo | None, model: ModelInfo | None) -> list[Choice]:
    """The layers of the model, behind the method's own choice; none where the method reads no layer."""
    if method is None or not has_layer(method):
        return []
    last = 0 if model is None else model.num_layers
    notes = {0: "what enters the first block", last: "what the last block gives"}
    rows = [Choice(None, "the method's choice", f"of {method.name}")]
    return rows + [Choice(str(layer), layer_name(layer), notes.get(layer, "")) for layer in range(last + 1)]


def chosen(choices: Choices, name: str, value: str | None) -> Choices:
    """The choices with one of them made anew; what belongs to another model or method goes."""
    if name == "model" and value != choices.model:
        return replace(choices, model=value, method=None, params={}, target=None)
    if name == "method" and value != choices.method:
        return replace(choices, method=value, params={})
    if name == "target":
        return replace(choices, target=value)
    if name == "format":
        return replace(choices, format=value)
    if name == "layer":
        others = {key: kept for key, kept in choices.params.items() if key != "layer"}
        return replace(choices, params=others if value is None else {**others, "layer": int(value)})
    return replace(choices, granularity=value or "token") if name == "granularity" else choices


def method_of(explanation: Explanation | None, choices: Choices, model: ModelInfo | None) -> str | None:
    """The name of the method that explains: the chosen one, else the one that was used."""
    if choices.method is not None:
        return choices.method
    if explanation is not None:
        return explanation.method
    return model.default_method or None if model is not None else None
