"""What `--json` prints, declared once: docs/cli.md is made from these, and the tests hold the output to them."""

from __future__ import annotations

import sys
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from saliscope.cli.contrast import Contrast
from saliscope.protocol.evaluations import Evaluation
from saliscope.protocol.explanation import Output, Prediction, Segment, TargetInfo, Token
from saliscope.protocol.jobs import Job, JobResults, Jobs
from saliscope.protocol.results import Generated, MethodInfo, ModelInfo
from saliscope.protocol.terms import PROTOCOL_VERSION


class ScoredToken(Struct):
    """A piece of the text; `score` is its feature's, null for specials and where no feature covers it."""

    text: str
    start: int
    end: int
    special: bool
    score: float | None


class ScoredFeature(Struct):
    """What was scored: `text[start:end]` in code points; `stderr` where the method estimates."""

    text: str
    start: int
    end: int
    score: float
    stderr: float | None


class CostShape(Struct):
    """Rows through the model, counted."""

    forward_rows: int
    backward_rows: int


class ExplainShape(Struct):
    """`saliscope explain --json`."""

    text: str
    model: str
    method: str
    params: dict[str, Any]
    target: TargetInfo
    scale: str
    granularity: str
    prediction: Prediction
    tokens: list[ScoredToken]
    features: list[ScoredFeature]
    value: float | None
    base_value: float | None
    gap: float | None
    signed: bool
    additive: bool
    baseline: str | None
    cost: CostShape
    timing_ms: dict[str, float]
    truncated_at: int | None
    estimate: Literal["partial", "final"]
    seed: int
    why: list[str]
    fingerprint: str
    outputs: list[Output]
    diagnostics: dict[str, Any]
    warnings: list[str]
    protocol: int
    segments: list[Segment]
    cached: bool


class ExplainManyShape(Struct):
    """`saliscope explain --json` with several `--method`, in their order."""

    explanations: list[ExplainShape]


class TextPrediction(Struct):
    """The prediction of one text; from `truncated_at` on it was not read, and tokens at `masked` were hidden."""

    text: str
    label: str
    index: int
    kind: str
    probabilities: dict[str, float]
    value: float | None
    truncated_at: int | None
    masked: list[tuple[int, int]]


class PredictShape(Struct):
    """`saliscope predict --json`."""

    model: str
    predictions: list[TextPrediction]
    warnings: list[str]
    protocol: int = PROTOCOL_VERSION


class TokenizeShape(Struct):
    """`saliscope tokenize --json`."""

    text: str
    model: str
    tokens: list[Token]
    truncated_at: int | None
    max_tokens: int
    warnings: list[str]
    protocol: int = PROTOCOL_VERSION


class ModelsShape(Struct):
    """`saliscope models --json`; of `load` the one model."""

    models: list[ModelInfo]


class PsShape(Struct):
    """`saliscope ps --json`: the models in memory."""

    running: bool
    reason: str | None
    models: list[ModelInfo]


class MethodsShape(Struct):
    """`saliscope methods --json`; with a name the list has one entry."""

    methods: list[MethodInfo]


class StatusShape(Struct):
    """`saliscope status --json` and `saliscope daemon status --json`; all but the first two are null if none runs."""

    running: bool
    reason: str | None = None
    pid: int | None = None
    version: str | None = None
    protocol: int | None = None
    uptime_s: float | None = None
    socket: str | None = None
    sessions: int | None = None
    requests: dict[str, int] | None = None
    workers: list[dict[str, Any]] | None = None
    models: list[ModelInfo] | None = None
    memory: dict[str, int] | None = None
    tcp: str | None = None
    figures: dict[str, Any] | None = None
    cache: dict[str, int] | None = None
    warnings: list[str] | None = None


class CacheShape(Struct):
    """`saliscope cache info --json`: the bytes of every file that the daemon keeps."""

    folder: str
    files: dict[str, int]


class CheckShape(Struct):
    """One line of the doctor."""

    name: str
    state: Literal["ok", "warn", "fail"]
    detail: str
    advice: str = ""


class DoctorShape(Struct):
    """`saliscope doctor --json`; `healthy` is false if a check failed."""

    healthy: bool
    checks: list[CheckShape]


class ErrorFacts(Struct):
    """A failure: `code` is one of the table below."""

    code: str
    message: str
    advice: str


class ErrorShape(Struct):
    """Any command with `--json` that fails."""

    error: ErrorFacts


#: Command -> the shapes of its `--json`.
SHAPES: Final[dict[str, tuple[type[Struct], ...]]] = {
    "explain": (ExplainShape, ExplainManyShape),
    "predict": (PredictShape,),
    "generate": (Generated,),
    "tokenize": (TokenizeShape,),
    "evaluate": (Evaluation,),
    "dataset explain": (JobResults,),
    "diff": (Contrast,),
    "jobs list": (Jobs,),
    "jobs status": (Job,),
    "jobs results": (JobResults,),
    "models": (ModelsShape,),
    "load": (ModelsShape,),
    "ps": (PsShape,),
    "methods": (MethodsShape,),
    "status": (StatusShape,),
    "cache info": (CacheShape,),
    "doctor": (DoctorShape,),
    "any command that fails": (ErrorShape,),
}


def write_json(shape: Struct) -> None:
    """Print a shape as indented JSON; NaN and infinities become null."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(shape), indent=2).decode() + "\n")
