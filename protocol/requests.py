"""What the sync and the async client share: parameters out, typed results in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

import msgspec

from saliscope.protocol.codec import Notification
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.fields import DATA_SUFFIXES
from saliscope.protocol.messages import BUNDLED
from saliscope.protocol.parameters import Mask, Target
from saliscope.protocol.results import Explanation, Explanations, GeneratePartial, Partial, Progress

T = TypeVar("T")
OnNotification = Callable[[Notification], None]
OnPartial = Callable[[Partial], None]
OnProgress = Callable[[Progress], None]
OnWritten = Callable[[GeneratePartial], None]


class DisconnectedError(SaliscopeError):
    """The peer closed the connection before it answered."""

    def __init__(self, reason: str = "the connection closed before the answer came") -> None:
        super().__init__("unavailable", f"{reason}; run the command again, or look at `saliscope daemon logs`")


class RunOptions(TypedDict, total=False):
    """How a request is run (`parameters.Explain` has the meaning of each)."""

    priority: str | None
    max_ms: float | None
    max_rows: int | None
    supersede: str | None


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


class GenerateOptions(RunOptions, total=False):
    """How to write on (`parameters.Generate` has the meaning of each)."""

    model: str | None
    messages: Sequence[Mapping[str, str]] | None
    add_generation_prompt: bool | None
    max_tokens: int
    temperature: float
    seed: int
    top: int
    download: bool
    keep_alive: float | None


class RecordOptions(TypedDict, total=False):
    """How the records of a document are found and explained (`documents.DocumentOptions` has the meaning of each)."""

    format: str | None
    language: str
    field: str | None
    pair: str | None
    label: str | None
    model: str | None
    method: str | None
    target: Target | str | int | None
    scale: str | None
    granularity: str
    seed: int
    params: dict[str, Any]
    windows: str
    low_margin: float
    shortcut: float | None
    until: str
    max_ms: float | None
    max_rows: int | None


class LoadOptions(TypedDict, total=False):
    """How to load a model (`parameters.LoadModel` has the meaning of each)."""

    download: bool
    device: str | None
    dtype: str | None
    revision: str | None
    adapter: str | None
    keep_alive: float | None
    check: bool | None


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


class JobOptions(TypedDict, total=False):
    """What to explain and how (`jobs.SubmitJob` has the meaning of each)."""

    job: str | None
    model: str | None
    method: str | None
    target: Target | str | int | None
    scale: str | None
    granularity: str | None
    seed: int
    params: dict[str, Any] | None
    windows: str | None
    download: bool
    split: str | None
    limit: int | None
    text_field: str | None
    label_field: str | None
    pair_field: str | None
    id_field: str | None
    slices: Sequence[str]
    deterministic: bool
    engine: str | None
    resume: bool
    overwrite: bool


def job_params(data: str, out: str, options: JobOptions) -> dict[str, Any]:
    """The parameters of `jobs/submit` as a map, with an id and absolute paths; a misspelt option is a TypeError."""
    for name in options:
        if name not in JobOptions.__annotations__:
            raise TypeError(f"submit_job() got an unexpected keyword argument {name!r}")
    fields = given(**options)
    if isinstance(fields.get("target"), Target):
        fields["target"] = msgspec.to_builtins(fields["target"])
    if "slices" in fields:
        fields["slices"] = list(fields["slices"])
    # The daemon has another working directory.
    path = os.path.expanduser(data)
    data = os.path.abspath(path) if os.path.exists(path) or path.lower().endswith(DATA_SUFFIXES) else data
    job = fields.pop("job", None) or os.urandom(4).hex()
    return {**fields, "job": job, "data": data, "out": os.path.abspath(os.path.expanduser(out))}


def evaluate_params(
    texts: Sequence[str | Mapping[str, Any] | tuple[str, str | int]], options: EvaluateOptions
) -> dict[str, Any]:
    """The parameters of `evaluate` as a map: texts, pairs (text, label) or maps; a misspelt option is a TypeError."""
    for name in options:
        if name not in EvaluateOptions.__annotations__:
            raise TypeError(f"evaluate() got an unexpected keyword argument {name!r}")
    rows = [{"text": one[0], "label": one[1]} if isinstance(one, tuple) else one for one in texts]
    fields = given(**options)
    if isinstance(out := fields.get("out"), str):
        # The daemon has another working directory.
        fields["out"] = os.path.abspath(os.path.expanduser(out))
    return {"texts": rows, **fields}


def load_params(model: str, options: LoadOptions) -> dict[str, Any]:
    """The parameters of `models/load` as a map; a misspelt option is a TypeError."""
    for name in options:
        if name not in LoadOptions.__annotations__:
            raise TypeError(f"load_model() got an unexpected keyword argument {name!r}")
    fields = given(model=model, **options)
    if isinstance(adapter := fields.get("adapter"), str):
        fields["adapter"] = os.path.abspath(os.path.expanduser(adapter))
    return fields


def explain_params(text: str | Sequence[str] | None, options: ExplainOptions, *, stream: bool) -> dict[str, Any]:
    """The parameters of `explain` as a map; a misspelt option is a TypeError."""
    for name in options:
        if name not in ExplainOptions.__annotations__:
            raise TypeError(f"explain() got an unexpected keyword argument {name!r}")
    fields = given(**options)
    if isinstance(lender := (fields.get("params") or {}).get("lm_head_from"), str):
        fields["params"] = {**fields["params"], "lm_head_from": _absolute(lender)}
    if isinstance(fields.get("target"), Target):
        fields["target"] = msgspec.to_builtins(fields["target"])
    return {"stream": stream, **source(text=text), **fields, **source(**fields)}


def generate_params(text: str | None, options: GenerateOptions, *, stream: bool) -> dict[str, Any]:
    """The parameters of `generate` as a map; a misspelt option is a TypeError."""
    for name in options:
        if name not in GenerateOptions.__annotations__:
            raise TypeError(f"generate() got an unexpected keyword argument {name!r}")
    fields = given(**options)
    return {"stream": stream, **fields, **source(text=text, messages=fields.get("messages"))}


def run_params(options: RunOptions) -> dict[str, Any]:
    """How a request is run, as a map; a misspelt option is a TypeError."""
    for name in options:
        if name not in RunOptions.__annotations__:
            raise TypeError(f"predict() got an unexpected keyword argument {name!r}")
    return given(**options)


def source(**fields: Any) -> dict[str, Any]:
    """What is asked about, as lists and maps: the fields `text`, `texts`, `pair` and `messages` that are given."""
    known = {name: fields[name] for name in ("text", "texts", "pair", "messages") if fields.get(name) is not None}
    return {
        name: value if isinstance(value, str) else [dict(row) if isinstance(row, Mapping) else row for row in value]
        for name, value in known.items()
    }


def masks(mask: Mask | Sequence[Mask | None] | None) -> dict[str, Any]:
    """What is hidden of one text, or of each of many, as the field `mask`."""
    return {} if mask is None else {"mask": msgspec.to_builtins(mask)}


def given(**params: Any) -> dict[str, Any]:
    """The parameters that are not None, with a folder as model made absolute."""
    fields = {name: value for name, value in params.items() if value is not None}
    if isinstance(model := fields.get("model"), str):
        fields["model"] = _absolute(model)
    return fields


def _absolute(model: str) -> str:
    """A model that is a folder or a GGUF file here by its absolute path: the daemon has another working directory."""
    path = os.path.expanduser(model)
    is_here = os.path.isdir(path) or (path.endswith(".gguf") and os.path.isfile(path))
    return os.path.abspath(path) if model not in BUNDLED and is_here else model


def read(result: Any, type_: type[T]) -> T:
    """A result as its declared type; `protocol_mismatch` if the daemon answers something else."""
    try:
        return msgspec.convert(result, type_)
    except msgspec.ValidationError as error:
        raise SaliscopeError(
            "protocol_mismatch", f"the answer is not a {getattr(type_, '__name__', type_)}: {error}"
        ) from error


def read_explanations(result: Any, *, many: bool) -> Explanation | list[Explanation]:
    """The answer to `explain`; warnings about the request as a whole are added to each explanation."""
    if not many:
        return read(result, Explanation)
    answer = read(result, Explanations)
    for explanation in answer.explanations:
        explanation.warnings.extend(answer.warnings)
    return answer.explanations


def listener(
    on_partial: OnPartial | None, on_progress: OnProgress | None, on_written: OnWritten | None = None
) -> OnNotification:
    """A receiver of notifications that hands partials and progress on, typed."""

    def listen(notification: Notification) -> None:
        if on_written is not None and notification.method == "generate/partial":
            on_written(read(notification.params, GeneratePartial))
        elif on_partial is not None and notification.method == "explain/partial":
            on_partial(read(notification.params, Partial))
        elif on_progress is not None and notification.method == "$/progress":
            on_progress(read(notification.params, Progress))

    return listen


def failure_of(notification: Notification) -> SaliscopeError | None:
    """The error that a `$/error` notification announces before the daemon closes the connection."""
    if notification.method != "$/error" or notification.params is None:
        return None
    return SaliscopeError.from_wire([notification.params.get("code"), notification.params.get("message"), {}])


def is_about(notification: Notification, id: int) -> bool:
    """Whether a notification is about the request with this id."""
    return notification.params is not None and notification.params.get("id") == id
