"""Messages of `evaluate`: methods compared by metrics on the same texts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from saliscope.protocol.parameters import Messages, check_source
from saliscope.protocol.terms import KeepAlive, Key, Milliseconds, Name, Priority, Rows, Scale, Seed


class LabelledText(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One text of the data, a pair of texts (`pair` is the second one) or, without a text, the `messages` of a chat;
    and, where it is known, the class it belongs to (`label`, name or index).
    """

    text: str | None = None
    label: str | int | None = None
    pair: str | None = None
    messages: Messages | None = None

    def __post_init__(self) -> None:
        check_source(self.text, self.pair, self.messages)


class MethodChoice(Struct, forbid_unknown_fields=True):
    """A method with parameters, as a row called `name` (default: the method's own name)."""

    method: Name
    params: dict[str, Any] = field(default_factory=dict)
    name: Name | None = None


class Evaluate(Struct):
    """Compares methods by metrics on the same texts, pairs or chats.

    `methods` and `metrics` default to every one that fits; a metric with parameters is a map `{metric, …}`. `target`
    "gold" explains the class of the label. `precomputed` are scores from elsewhere by name, one row a text.
    `background` are texts in which the rarity of tokens is counted. `cheap` is what a cheap method costs at most, in
    passes through the model: a row forward, or forward and back, is one. With `out`, a folder, every finished text is
    kept there, and the same request goes on where one that was cancelled or died has ended. After `max_ms` milliseconds
    or `max_rows` rows the table of what is done is the answer; `priority` and `supersede` are as for `explain`.
    """

    texts: Annotated[list[str | LabelledText], Meta(min_length=1)]
    model: Name | None = None
    methods: list[Name | MethodChoice] | None = None
    metrics: list[Name | dict[str, Any]] | None = None
    target: Literal["predicted", "gold"] = "predicted"
    scale: Scale | None = None
    granularity: Literal["token", "word", "sentence", "line"] = "token"
    seed: Seed = 0
    interval: Literal["bootstrap", "normal"] = "bootstrap"
    precomputed: dict[str, list[list[float]]] = field(default_factory=dict)
    background: list[str] | None = None
    cheap: Annotated[float, Meta(ge=0)] = 1.0
    out: Name | None = None
    download: bool = False
    priority: Priority = "bulk"
    max_ms: Milliseconds | None = None
    max_rows: Rows | None = None
    supersede: Key | None = None
    keep_alive: KeepAlive | None = None


class Interval(Struct):
    """A mean over `n` texts with its 95 % interval, which one text does not have."""

    value: float | None
    low: float | None
    high: float | None
    n: int


class EvaluationCell(Interval):
    """One metric of one method: further numbers (`parts`), the mean `curve` over the metric's grid, `percentiles` of
    single texts (5, 25, 50, 75, 95), the `overlap` of classes, and `why_not` where there is no value.
    """

    parts: dict[str, Interval] = field(default_factory=dict)
    curve: list[float] = field(default_factory=list)
    percentiles: list[float] = field(default_factory=list)
    overlap: dict[str, Any] | None = None
    why_not: str | None = None
    failed: int = 0
    best: bool = False
    best_cheap: bool = False


class EvaluationFailure(Struct):
    """A text on which a method failed, by its number, and what was said."""

    text: int
    message: str


class EvaluationRow(Struct):
    """One method: its cells by metric, and what a median text costs in passes through the model."""

    name: str
    method: str | None
    params: dict[str, Any]
    cost: float | None
    seconds: float | None
    failures: list[EvaluationFailure]
    cells: dict[str, EvaluationCell]


class Evaluation(Struct):
    """Answers `evaluate`: `rows` in the order asked for, `model` cells of metrics that measure the model alone.

    `directions` says for each metric whether up or down is better; `notes` what was left out, and why.
    """

    model_name: str
    fingerprint: str
    target: str
    scale: str
    granularity: str
    seed: int
    interval: str
    cheap: float
    cost_unit: str
    background: str | None
    metrics: dict[str, dict[str, Any]]
    directions: dict[str, str]
    accuracy: Interval | None
    num_texts: int
    num_done: int
    rows: list[EvaluationRow]
    model: dict[str, EvaluationCell]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
