"""What the daemon sends: the results of requests, and its notifications."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field, structs

from saliscope.protocol.explanation import Explanation, Prediction, Segment, Token


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
    """Notified as `generate/partial`: what is `new` of what was written so far for request `id`.

    Of what was told before, the first `kept_tokens` tokens and `kept_text` code points of the text stay; those of `new`
    follow them (their places count from the start of the whole text), and its other fields are as they are now. So the
    client has the answer as it would be if the request ended now, and nothing is lost where it is cancelled. The first
    one keeps nothing, and none is left out.
    """

    id: int
    kept_tokens: int
    kept_text: int
    new: Generated

    def after(self, before: Generated | None) -> Generated:
        """All that was written so far, given what was written `before` this was told."""
        if before is None:
            return self.new
        text = before.text[: self.kept_text] + self.new.text
        return structs.replace(self.new, text=text, tokens=before.tokens[: self.kept_tokens] + self.new.tokens)


class Failure(Struct):
    """Notified as `$/error` before the daemon closes a connection whose bytes it cannot read."""

    code: str
    message: str
