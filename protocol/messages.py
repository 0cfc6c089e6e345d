"""The messages of the wire, declared once: parameters and results of every RPC method.

`docs/protocol.md` and the JSON Schemas are generated from this table (`schema.py`).
Unknown fields of a request are ignored and listed in the answer's `warnings`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NamedTuple

from msgspec import Meta, Struct, field

from saliscope.protocol.evaluations import Evaluate, Evaluation
from saliscope.protocol.terms import Count, Granularity, Name, Scale, Seed, TargetKind

PROTOCOL_VERSION: Final = 1

#: Models that come with the package.
BUNDLED: Final = ("demo-encoder", "demo-decoder")


# -- what a person asks ---------------------------------------------------------------------------


class Empty(Struct):
    """No parameters."""


class Notify(Struct):
    """How notifications are wrapped for clients that only dispatch their own method names (Neovim).

    A notification `name, params` is sent as `[2, method, [*head, [name, params]]]`.
    """

    method: str
    head: list[Any] = field(default_factory=list)


class Initialize(Struct):
    """Opens a session: the protocol range that the client speaks and how it wants to be answered."""

    client: str = ""
    protocol_min: Count = PROTOCOL_VERSION
    protocol_max: Count = PROTOCOL_VERSION
    version: str | None = None
    token: str | None = None
    errors: Literal["array", "string"] = "array"
    floats: Literal["list", "f32"] = "list"
    notifications: bool = True
    notify: Notify | None = None


class LoadModel(Struct):
    """Loads a model now, so that the first explanation does not wait."""

    model: Name
    download: bool = False


class UnloadModel(Struct):
    """Frees a model."""

    model: Name


class Message(Struct, forbid_unknown_fields=True):
    """One message of a chat, for the model's own chat template."""

    role: Annotated[str, Meta(min_length=1, max_length=64)]
    content: str


Messages = Annotated[list[Message], Meta(min_length=1, max_length=256)]


def _check_source(text: object, pair: object, messages: object) -> None:
    """A request is about a text (with a second one beside it), or about a chat."""
    if text is None and messages is None:
        raise ValueError("give a text, or messages")
    if messages is not None and (text is not None or pair is not None):
        raise ValueError("messages come alone, without a text and without a pair")


class Tokenize(Struct):
    """Splits a text, a pair of texts or a chat into the pieces that the model sees."""

    text: str | None = None
    model: Name | None = None
    pair: str | None = None
    messages: Messages | None = None
    add_generation_prompt: bool | None = None

    def __post_init__(self) -> None:
        _check_source(self.text, self.pair, self.messages)


class Predict(Struct):
    """Asks for the prediction of one text or of many, of pairs (a `pair` for all texts, or a list of them), or of the
    `messages` of a chat.
    """

    texts: str | list[str] | None = None
    model: Name | None = None
    top: Annotated[int, Meta(ge=1, le=1000)] = 10
    download: bool = False
    pair: str | list[str] | None = None
    messages: Messages | None = None
    add_generation_prompt: bool | None = None

    def __post_init__(self) -> None:
        _check_source(self.texts, self.pair, self.messages)


class Target(Struct, omit_defaults=True):
    """Names the scalar that is explained.

    Without a `kind` it is the model's own. `class`: `label` is a class name or index, or "predicted" (default).
    `next-token`: `label` is the token's text, or its id as an integer; default the likeliest one.
    `contrast`: the `label` less the label `against` (default: the strongest other), `of` the class or the next token.
    `label-words`: a prompt's answer among `labels`, each with its words; the next token, or tokens, decide.
    `continuation`: the probability of `text` behind the prompt; without one, of what the model itself would write, at
    most `max_tokens`. With `steps` each of its tokens is explained as well, as an output of its own.
    `contrast-continuation`: the continuation `text` less the continuation `against`.
    """

    kind: TargetKind | None = None
    label: str | int | None = None
    against: str | int | None = None
    of: Literal["class", "next-token"] | None = None
    labels: dict[str, str | list[str]] | None = None
    text: str | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=64)] | None = None
    steps: bool = False


class Explain(Struct):
    """Explains one text, or each of many; with `stream` partial estimates are notified meanwhile.

    `granularity` is token, word, sentence, line, or `regex:PATTERN` (of Python's `re`): every match is a feature.
    `pair` is a second text, for all texts or one for each. `messages` stand in place of a text; a chat ends with the
    opening of an answer if `add_generation_prompt`, by default where the model is a causal language model.
    `windows`: a text that is too long is cut, or explained in overlapping windows.
    """

    text: str | list[str] | None = None
    model: Name | None = None
    method: Name | None = None
    target: Target | str | int | None = None
    scale: Scale | None = None
    granularity: Granularity = "token"
    seed: Seed = 0
    params: dict[str, Any] = field(default_factory=dict)
    stream: bool = False
    download: bool = False
    pair: str | list[str] | None = None
    messages: Messages | None = None
    add_generation_prompt: bool | None = None
    windows: Literal["cut", "stitch"] = "cut"

    def __post_init__(self) -> None:
        _check_source(self.text, self.pair, self.messages)


class Cancel(Struct):
    """Cancels the request with this id on the same connection; it is still answered, with `cancelled`."""

    id: int


# -- what comes back ------------------------------------------------------------------------------


class Initialized(Struct):
    """Answers `initialize`."""

    protocol: int
    version: str
    capabilities: list[str]
    limits: dict[str, int]
    warnings: list[str] = field(default_factory=list)


class ModelInfo(Struct):
    """What is known of one model: facts, not promises. `state` is available, loading or ready.

    `lacking` says why it has not a capability that one would expect.
    """

    name: str
    state: Literal["available", "loading", "ready"]
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


class Token(Struct):
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
    """Answers `predict`, one prediction a text, in order."""

    model: str
    predictions: list[Prediction]
    truncated_at: list[int | None] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Feature(Struct):
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


class Explanations(Struct):
    """Answers `explain` with many texts: one entry a text, in order."""

    explanations: list[Explanation]
    warnings: list[str] = field(default_factory=list)


class Status(Struct):
    """Answers `status`; never starts a worker."""

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
    warnings: list[str] = field(default_factory=list)


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


class Failure(Struct):
    """Notified as `$/error` before the daemon closes a connection whose bytes it cannot read."""

    code: str
    message: str


class Method(NamedTuple):
    """One row of the table of RPC methods: parameter type, result type and one line of documentation."""

    params: type[Struct]
    result: Any
    summary: str


#: Every request of the wire.
METHODS: Final[dict[str, Method]] = {
    "initialize": Method(Initialize, Initialized, "Opens the session; optional on the Unix socket."),
    "ping": Method(Empty, dict[str, Any], "Answers `{pong: true, version}` at once."),
    "status": Method(Empty, Status, "Health, models, queue, memory and counters; never starts a worker."),
    "shutdown": Method(Empty, dict[str, Any], "Answers the requests in flight, then ends the daemon."),
    "models/list": Method(Empty, Models, "Loaded and bundled models."),
    "models/load": Method(LoadModel, ModelInfo, "Loads a model, with progress."),
    "models/unload": Method(UnloadModel, dict[str, Any], "Frees a model; answers `{unloaded: bool}`."),
    "methods/list": Method(Empty, Methods, "The catalogue of explanation methods."),
    "tokenize": Method(Tokenize, Tokenized, "Pieces of a text with their spans."),
    "predict": Method(Predict, Predictions, "Probabilities for texts."),
    "explain": Method(Explain, Explanation | Explanations, "Explains one text or many."),
    "evaluate": Method(Evaluate, Evaluation, "Compares methods by metrics on a data set, with progress."),
}

#: Notifications: from the client `$/cancel`; to the client, if it asked for them, the others.
NOTIFICATIONS: Final[dict[str, type[Struct]]] = {
    "$/cancel": Cancel,
    "$/progress": Progress,
    "explain/partial": Partial,
    "$/error": Failure,
}
