"""The parameters of the wire's requests, one struct a method; unknown fields are ignored and told of."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from saliscope.protocol.terms import (
    PROTOCOL_VERSION,
    Count,
    Granularity,
    KeepAlive,
    Key,
    MaskKind,
    Milliseconds,
    Name,
    Priority,
    Rows,
    Scale,
    Seed,
    TargetKind,
)


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
    """Loads a model now, so that the first explanation does not wait; what is given is remembered for its name.

    `device` is auto, cpu or cuda:N. `dtype` auto is float32 on the CPU, and on a GPU as the checkpoint is stored.
    `revision` is a branch, tag or commit of a hub id. `adapter` is a LoRA folder (of peft), merged into the weights.
    `keep_alive`: seconds that the model stays unused (0: not at all, negative: for ever). Without `check` it is not
    run to see whether it keeps what its capabilities promise. A model that is loaded otherwise is loaded anew.
    """

    model: Name
    download: bool = False
    device: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] | None = None
    revision: Annotated[str, Meta(min_length=1, max_length=256)] | None = None
    adapter: Name | None = None
    keep_alive: KeepAlive | None = None
    check: bool | None = None


class UnloadModel(Struct):
    """Frees a model; answered when nobody uses it any more. Requests that come meanwhile have it loaded anew."""

    model: Name


class Message(Struct, forbid_unknown_fields=True):
    """One message of a chat, for the model's own chat template."""

    role: Annotated[str, Meta(min_length=1, max_length=64)]
    content: str


Messages = Annotated[list[Message], Meta(min_length=1, max_length=256)]


def check_source(text: object, pair: object, messages: object) -> None:
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
    keep_alive: KeepAlive | None = None

    def __post_init__(self) -> None:
        check_source(self.text, self.pair, self.messages)


class Mask(Struct):
    """Hides tokens of a text from the model: those that reach into one of the `spans`, whole.

    Spans are code points, the end not included; of a pair or a chat they count in the text that `explain` and
    `tokenize` give back. `kind` is what the perturbation methods offer: replace (the mask token stands there), drop
    (they are left out, the others keep their places) or attention (nobody may look at them).
    """

    spans: Annotated[list[tuple[Count, Count]], Meta(max_length=65_536)]
    kind: MaskKind = "replace"


class Predict(Struct):
    """Asks for the prediction of one text or of many, of pairs (a `pair` for all texts, or a list of them), or of the
    `messages` of a chat; with a `mask` (for all texts, or a list with one or null for each) of what is then left.
    `priority`, `max_ms`, `max_rows` and `supersede` are as for `explain`; without a result in time it fails with
    `timeout`.
    """

    texts: str | list[str] | None = None
    model: Name | None = None
    top: Annotated[int, Meta(ge=1, le=1000)] = 10
    download: bool = False
    pair: str | list[str] | None = None
    messages: Messages | None = None
    add_generation_prompt: bool | None = None
    mask: Mask | list[Mask | None] | None = None
    priority: Priority = "request"
    max_ms: Milliseconds | None = None
    max_rows: Rows | None = None
    supersede: Key | None = None
    keep_alive: KeepAlive | None = None

    def __post_init__(self) -> None:
        check_source(self.texts, self.pair, self.messages)


class Generate(Struct):
    """Has a causal language model write on behind a `text`, or the answer to the `messages` of a chat.

    It writes at most `max_tokens` tokens, fewer where the model reads no more: the likeliest at `temperature` 0, else
    drawn with `seed`. For each token the `top` likeliest ones at its place are told; `max_tokens` 1 thus gives the
    distribution of the next token. With `stream` what was written so far is notified meanwhile. Cancelling takes hold
    before the next token. `priority`, `max_ms`, `max_rows` (one row a token) and `supersede` are as for `explain`.
    """

    text: str | None = None
    model: Name | None = None
    messages: Messages | None = None
    add_generation_prompt: bool | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=512)] = 64
    temperature: Annotated[float, Meta(ge=0, le=100)] = 0.0
    seed: Seed = 0
    top: Annotated[int, Meta(ge=0, le=100)] = 0
    stream: bool = False
    download: bool = False
    priority: Priority = "request"
    max_ms: Milliseconds | None = None
    max_rows: Rows | None = None
    supersede: Key | None = None
    keep_alive: KeepAlive | None = None

    def __post_init__(self) -> None:
        check_source(self.text, None, self.messages)


class Target(Struct, omit_defaults=True):
    """Names the scalar that is explained.

    Without a `kind` it is the model's own. `class`: `label` is a class name or index, or "predicted" (default).
    `next-token`: `label` is the token's text, or its id as an integer; default the likeliest one.
    `contrast`: the `label` less the label `against` (default: the strongest other), `of` the class or the next token.
    `label-words`: a prompt's answer among `labels`, each with its words; the next token, or tokens, decide.
    `continuation`: the probability of `text` behind the prompt, or of `ids` as `generate` tells them; without both, of
    what the model itself would write, at most `max_tokens`. Of `ids` a `part` (from, to) can be explained, given those
    before it. With `steps` each of its tokens is explained as well, as an output of its own.
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
    ids: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1, max_length=512)] | None = None
    part: tuple[int, int] | None = None


class Explain(Struct):
    """Explains one text, or each of many; with `stream` partial estimates are notified meanwhile.

    `granularity` is token, word, sentence, line, or `regex:PATTERN` (of Python's `re`): every match is a feature.
    `pair` is a second text, for all texts or one for each. `messages` stand in place of a text; a chat ends with the
    opening of an answer if `add_generation_prompt`, by default where the model is a causal language model.
    `windows`: a text that is too long is cut, or explained in overlapping windows.
    `priority` says who waits for whom. After `max_ms` milliseconds, or where more than `max_rows` rows of the model
    would be needed, the best estimate so far is the answer (`estimate` "partial"). A newer request of the same client
    with the same `supersede` ends this one. `deterministic`: its rows share no micro-batch with others', so that the
    same is computed in the same way, to the last bit on one machine, and more slowly. `keep_alive`, here and
    elsewhere, is how many seconds the model then stays unused (negative: for ever).
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
    priority: Priority = "request"
    max_ms: Milliseconds | None = None
    max_rows: Rows | None = None
    supersede: Key | None = None
    keep_alive: KeepAlive | None = None
    deterministic: bool = False

    def __post_init__(self) -> None:
        check_source(self.text, self.pair, self.messages)


class Cancel(Struct):
    """Cancels the request with this id on the same connection; it is still answered, with `cancelled`."""

    id: int
