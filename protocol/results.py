"""What the daemon sends: the results of requests, and its notifications."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from saliscope.protocol.terms import PROTOCOL_VERSION


class Initialized(Struct):
    """Answers `initialize`."""

    protocol: int
    version: str
    capabilities: list[str]
    limits: dict[str, int]
    warnings: list[str] = field(default_factory=list)


class Check(Struct):
    """What a short run of a model has found: `value` is how far from perfect (0), relative; up to `limit` is fine."""

    name: str
    ok: bool
    value: float | None
    limit: float


class ModelInfo(Struct):
    """What is known of one model: facts, not promises. One that is draining goes as soon as nobody uses it.

    `lacking` says why it has not a capability that one would expect. `num_bytes` are the weights, `size` is what it
    holds with heads that it has borrowed. `num_in_use` requests use it; unused it goes after `expires_s` seconds (null:
    not by itself). `replicas` workers have it, or will.
    """

    name: str
    state: Literal["available", "loading", "ready", "draining"]
    kind: str = ""
    labels: list[str] = field(default_factory=list)
    capabilities: list[str] = field(default_factory=list)
    default_method: str = ""
    max_tokens: int = 0
    num_layers: int = 0
    num_parameters: int = 0
    num_bytes: int = 0
    device: str = ""
    dtype: str = ""
    fingerprint: str = ""
    source: str = ""
    lacking: dict[str, str] = field(default_factory=dict)
    size: int = 0
    num_in_use: int = 0
    keep_alive_s: float | None = None
    expires_s: float | None = None
    revision: str | None = None
    adapter: str | None = None
    checks: list[Check] = field(default_factory=list)
    load_s: float = 0.0
    replicas: int = 1


class Unloaded(Struct):
    """Answers `models/unload`: whether it was loaded, and the bytes that the process has given back, by kind."""

    unloaded: bool
    freed: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


class Cleared(Struct):
    """Answers `cache/clear`: the bytes that were freed, of kept results in `memory` and on `disk`, and of what workers
    kept of texts that are being written (`prefixes`).
    """

    memory: int = 0
    disk: int = 0
    prefixes: int = 0
    warnings: list[str] = field(default_factory=list)


class Models(Struct):
    """Answers `models/list`."""

    models: list[ModelInfo]
    warnings: list[str] = field(default_factory=list)


class MethodInfo(Struct):
    """One entry of the method catalogue; `params` is a JSON Schema, `presets` what each value of `preset` sets.

    `reading` says what of the `formula` is the source's and what is ours.
    """

    name: str
    summary: str
    group: str
    needs: list[str]
    targets: list[str]
    signed: bool
    additive: bool
    cost: str
    source: str
    params: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    caveats: list[str] = field(default_factory=list)
    presets: dict[str, dict[str, Any]] = field(default_factory=dict)
    formula: str = ""
    reading: str = ""


class Methods(Struct):
    """Answers `methods/list`."""

    methods: list[MethodInfo]
    warnings: list[str] = field(default_factory=list)


# A long document has 100,000s of these two: they hold nothing that could hold them, and are not looked at for cycles.
class Token(Struct, gc=False):
    """One piece of the source text: `text == source[start:end]`, in code points.

    Byte-level pieces that share a character are one token with several `ids`.
    """

    text: str
    start: int
    end: int
    special: bool
    ids: list[int] = field(default_factory=list)


class Segment(Struct):
    """One text of a pair or message of a chat: `source[start:end]`, where the texts are joined by a line break.

    `truncated_at` is the first code point of it that the model does not see.
    """

    name: str
    start: int
    end: int
    truncated_at: int | None = None


class Tokenized(Struct):
    """Answers `tokenize`; text from `truncated_at` on (code points) is never seen by the model.

    With `segments` each has its own `truncated_at`, and that of the whole is the first of them.
    """

    tokens: list[Token]
    model: str
    truncated_at: int | None = None
    max_tokens: int = 0
    warnings: list[str] = field(default_factory=list)
    text: str = ""
    segments: list[Segment] = field(default_factory=list)


class Prediction(Struct):
    """The model's answer: labels (or next tokens) with their probabilities, likeliest first for next tokens.

    A regression has no probabilities, but a `value`.
    """

    label: str
    index: int
    probabilities: dict[str, float]
    kind: Literal["class", "next-token", "label-words"] = "class"
    value: float | None = None


class Predictions(Struct):
    """Answers `predict`, one prediction a text, in order; `masked` says where the tokens stand that were hidden."""

    model: str
    predictions: list[Prediction]
    truncated_at: list[int | None] = field(default_factory=list)
    masked: list[list[tuple[int, int]]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class WrittenToken(Struct):
    """One token that a model has written: `text[start:end]` of the whole, empty where it is a part of a character.

    `probability` is at temperature 1; `likely` are the likeliest tokens at its place, as many as were asked for.
    """

    id: int
    start: int
    end: int
    probability: float
    likely: dict[str, float] = field(default_factory=dict)


class Generated(Struct):
    """Answers `generate`. `finish`: the model ended it, or it was long enough; empty where it ended early.

    `prompt_tokens` are those of the prompt, of which the model read nothing from code point `truncated_at` on.
    """

    model: str
    text: str
    tokens: list[WrittenToken]
    finish: Literal["", "end", "length"]
    prompt_tokens: int
    seed: int
    temperature: float
    truncated_at: int | None = None
    warnings: list[str] = field(default_factory=list)


class Feature(Struct, gc=False):
    """What is scored: a group of `tokens` (indices) that covers `source[start:end]`."""

    text: str
    start: int
    end: int
    tokens: list[int]


class Cost(Struct):
    """Rows through the model, counted; `promised_*` was said before the run (an upper bound where it adapts)."""

    forward_rows: int
    backward_rows: int
    promised_forward_rows: int = 0
    promised_backward_rows: int = 0


class TargetInfo(Struct):
    """The target as resolved: `index` is the class or token id, `label` its name, `against` what it is held against."""

    kind: str
    label: str
    index: int
    against: str | None = None


class Output(Struct):
    """Scores for one target (and layer, and token of a continuation): `scores[i]` belongs to `features[i]`."""

    target: TargetInfo
    scores: list[float]
    layer: int | None = None
    stderr: list[float] | None = None
    step: int | None = None


class Explanation(Struct):
    """One finished (or partial) explanation; `scores` is the asked output's and aligns with `features`.

    `cached`: it is that of an earlier request, whose cost and timing it tells.
    `segments` says where the texts of a pair or the messages of a chat lie in `text`; features never cross them.
    """

    text: str
    model: str
    method: str
    params: dict[str, Any]
    target: TargetInfo
    scale: str
    granularity: str
    prediction: Prediction
    tokens: list[Token]
    features: list[Feature]
    scores: list[float]
    outputs: list[Output]
    value: float
    base_value: float | None
    signed: bool
    additive: bool
    gap: float | None
    baseline: str | None
    seed: int
    estimate: Literal["partial", "final"]
    cost: Cost
    timing_ms: dict[str, float]
    truncated_at: int | None
    fingerprint: str
    why: list[str] = field(default_factory=list)
    diagnostics: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    protocol: int = PROTOCOL_VERSION
    segments: list[Segment] = field(default_factory=list)
    cached: bool = False


class Explanations(Struct):
    """Answers `explain` with many texts: one entry a text, in order."""

    explanations: list[Explanation]
    warnings: list[str] = field(default_factory=list)


class Status(Struct):
    """Answers `status`; never starts a worker.

    `figures` are counted since the daemon started: `requests` by method and outcome, `errors` by code, `connections`,
    what the living workers `computed`, how long queries waited in their `queue` by class, what live `documents` hold
    (`kept_bytes` are of explanations), `restarts`, and durations (`bounds` in seconds, `counts`, `sum`) of requests
    and to the first partial estimate. `cache` are the results that are kept: `entries`, bytes in `memory` and on
    `disk`, `hits`, `misses`, and `damaged` ones that were dropped.
    """

    pid: int
    version: str
    protocol: int
    uptime_s: float
    socket: str
    sessions: int
    requests: dict[str, int]
    workers: list[dict[str, Any]]
    models: list[ModelInfo]
    memory: dict[str, int]
    tcp: str | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    cache: dict[str, int] = field(default_factory=dict)


class Progress(Struct):
    """Notified as `$/progress` while a request runs: `done` of `total` (0: unknown) units of `stage`."""

    id: int
    stage: str
    done: float = 0.0
    total: float = 0.0
    message: str = ""


class Partial(Struct):
    """Notified as `explain/partial`: the estimate so far of text number `index` of request `id`."""

    id: int
    index: int
    explanation: Explanation


class GeneratePartial(Struct):
    """Notified as `generate/partial`: what was written so far for request `id`."""

    id: int
    text: str
    num_tokens: int


class Failure(Struct):
    """Notified as `$/error` before the daemon closes a connection whose bytes it cannot read."""

    code: str
    message: str
