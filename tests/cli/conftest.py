"""A client that answers without a daemon, and what the commands need around it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from saliscope import protocol
from saliscope.cli.app import app
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluation, EvaluationCell, EvaluationFailure, EvaluationRow, Interval
from saliscope.protocol.explanation import Cost, Explanation, Feature, Output, Prediction, TargetInfo, Token
from saliscope.protocol.results import MethodInfo, ModelInfo, Predictions, Status, Tokenized, Unloaded

ROWS = [{"text": "a dull film", "label": "negative"}, {"text": "funny, and\nwarm", "label": "positive"}]
SCORES = {"dull": 0.8, "boring": 0.5, "charming": -0.6, ",": 0.02}


def words(text: str) -> list[tuple[int, int]]:
    """Spans of the words, a comma by itself."""
    spans, at = [], 0
    for word in text.replace(",", " ,").split():
        at = text.index(word, at)
        spans.append((at, at + len(word)))
        at += len(word)
    return spans


def explanation(text: str, **changes: Any) -> Explanation:
    """What a model that knows four words would answer; a special token at either end."""
    spans = words(text)
    scores = [SCORES.get(text[start:end], 0.0) for start, end in spans]
    tokens = [Token("[CLS]", 0, 0, True), *(Token(text[a:b], a, b, False) for a, b in spans)]
    tokens.append(Token("[SEP]", len(text), len(text), True))
    target = TargetInfo("class", "negative", 0)
    fields: dict[str, Any] = {
        "text": text, "model": "demo-encoder", "method": "input-x-gradient", "params": {}, "target": target,
        "scale": "logit", "granularity": "token",
        "prediction": Prediction("negative", 0, {"negative": 0.9, "positive": 0.1}),
        "tokens": tokens, "features": [Feature(text[a:b], a, b, [i + 1]) for i, (a, b) in enumerate(spans)],
        "scores": scores, "outputs": [Output(target, scores)], "value": 1.5, "base_value": None, "signed": True,
        "additive": False, "gap": None, "baseline": None, "seed": 0, "estimate": "final", "cost": Cost(1, 1),
        "timing_ms": {"total": 12.0}, "truncated_at": None, "fingerprint": "f" * 8,
    }  # fmt: skip
    return Explanation(**{**fields, **changes})


def cell(value: float | None, half: float | None = 0.05, **changes: Any) -> EvaluationCell:
    """A cell whose interval has this half width; None as value: no number."""
    if value is None or half is None:
        return EvaluationCell(value, None, None, 0 if value is None else 1, **changes)
    return EvaluationCell(value, value - half, value + half, 6, **changes)


def evaluation() -> Evaluation:
    """Three rows, three metrics of methods and one of the model alone."""
    ixg = {"activation": cell(0.25, best_cheap=True), "comprehensiveness": cell(0.1234, best_cheap=True),
           "sufficiency": cell(0.5), "cost": cell(3.0, None, best=True)}  # fmt: skip
    long = {"activation": cell(0.75, best=True),
            "comprehensiveness": cell(0.4321, 0.02, best=True, parts={"at-20": Interval(0.4, 0.3, 0.5, 6)}),
            "sufficiency": cell(None, why_not="the scores are not finite"), "cost": cell(96.0)}  # fmt: skip
    given = {name: cell(None, why_not="no text has scores of this method") for name in ixg}
    failures = [EvaluationFailure(2, "the text has 80 tokens"), EvaluationFailure(4, "the text has 90 tokens")]
    rows = [
        EvaluationRow("input-x-gradient", "input-x-gradient", {}, 3.0, 0.01, [], ixg),
        EvaluationRow("decoded-integrated-gradients", "decoded-integrated-gradients", {"steps": 32}, 96.0, 0.2,
                      failures, long),
        EvaluationRow("mine", None, {}, None, None, [], given),
    ]  # fmt: skip
    return Evaluation(
        model_name="demo-encoder", fingerprint="f" * 8, target="predicted", scale="logit", granularity="token", seed=0,
        interval="95 %, bootstrap over texts", cheap=3.0, cost_unit="passes of the median text",
        background=None, metrics={}, accuracy=Interval(0.8333, 0.5833, 1.0833, 6), num_texts=6, num_done=24,
        directions={"activation": "up", "comprehensiveness": "up", "sufficiency": "down", "cost": "down",
                    "flips": "neither"},
        rows=rows, model={"flips": cell(0.5, parts={"flips-part": Interval(0.1, None, None, 1)})},
        notes=["accuracy-drop was left out: no text has a label"], warnings=["mine: 6 of 6 texts failed"],
    )  # fmt: skip


METHODS = [
    MethodInfo(
        "occlusion", "How far the target falls when a feature is hidden.", "perturbation", ["mask"], ["class"],
        True, False, "n forward", "Zeiler and Fergus 2014",
        {"$ref": "#/$defs/P", "$defs": {"P": {"type": "object", "properties": {
            "window": {"type": "integer", "minimum": 1, "maximum": 64, "default": 1, "description": "Tokens at once."},
            "mask": {"enum": ["mask", "unk"], "default": "mask"},
        }}}},
        {"window": 1, "mask": "mask"}, ["Hiding a word may leave a text that no one writes."],
        {"thermostat": {"window": 3, "mask": "unk"}}, "φ_i = F(x) - F(x without i)", "The paper's.",
    ),
    MethodInfo(
        "input-x-gradient", "Gradient times embedding.", "gradient", [], ["class"], True, False, "1 backward", "",
    ),
]  # fmt: skip
MODEL = ModelInfo("demo-encoder", "ready", "encoder-classifier", ["negative", "positive"], max_tokens=256,
                  num_bytes=13_600_000, device="cpu")  # fmt: skip
STATUS = Status(4711, "0.1.0", 1, 75.0, "/run/daemon.sock", 1, {"in_flight": 0, "answered": 3},
                [{"pid": 4712, "state": "ready"}], [MODEL], {"front_rss": 20_000_000})  # fmt: skip


class FakeClient:
    """Answers like a client; `calls` holds what was asked, `failure` is raised instead of an answer."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.connections: list[dict[str, Any]] = []
        self.failure: BaseException | None = None
        self.absent: SaliscopeError | None = None
        self.explanations: dict[str | None, dict[str, Any]] = {}
        self.evaluation = evaluation()

    def connect(self, **options: Any) -> FakeClient:
        """Stands in for `saliscope.protocol.connect`."""
        self.connections.append(options)
        if self.absent is not None:
            raise self.absent
        return self

    def glance(self) -> dict[str, Any] | None:
        """Stands in for `saliscope.protocol.glance`."""
        if self.failure is not None:
            raise self.failure
        return None if self.absent is not None else msgspec.to_builtins(STATUS)

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def _note(self, call: str, **fields: Any) -> None:
        fields.pop("on_progress", None)
        self.calls.append((call, fields))
        if self.failure is not None:
            raise self.failure

    def explain(self, text: str | None = None, **options: Any) -> Explanation:
        self._note("explain", text=text, **options)
        text = "\n".join(row["content"] for row in options.get("messages", ())) if text is None else text
        method = options.get("method")
        return explanation(text, **{"method": method or "input-x-gradient", **self.explanations.get(method, {})})

    def evaluate(self, texts: list[Any], **options: Any) -> Evaluation:
        self._note("evaluate", texts=texts, **options)
        return self.evaluation

    def predict(self, texts: list[str], **options: Any) -> Predictions:
        self._note("predict", texts=texts, **options)
        found = [Prediction("positive", 1, {"negative": 0.25, "positive": 0.75}) for _ in texts]
        return Predictions("demo-encoder", found, [None for _ in texts])

    def tokenize(self, text: str, **options: Any) -> Tokenized:
        self._note("tokenize", text=text, **options)
        return Tokenized(explanation(text).tokens, "demo-encoder", None, 256)

    def status(self) -> Status:
        self._note("status")
        return STATUS

    def models(self) -> list[ModelInfo]:
        self._note("models")
        return [MODEL, ModelInfo("demo-decoder", "available", source="bundled")]

    def methods(self) -> list[MethodInfo]:
        self._note("methods")
        return METHODS

    def load_model(self, name: str, **options: Any) -> ModelInfo:
        self._note("load_model", name=name, **options)
        return MODEL

    def unload_model(self, name: str) -> Unloaded:
        self._note("unload_model", name=name)
        return Unloaded(name == MODEL.name, {"ram": 13_200_000} if name == MODEL.name else {})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    """The client that every command gets."""
    client = FakeClient()
    monkeypatch.setattr(protocol, "connect", client.connect, raising=False)
    monkeypatch.setattr(protocol, "glance", client.glance, raising=False)
    return client


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, fake: FakeClient) -> Callable[..., Result]:
    """Runs `saliscope` with arguments, 80 columns wide and without a terminal."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "SALISCOPE_THEME", "COLORFGBG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")

    def invoke(*arguments: str, input: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, list(arguments), input=input)

    return invoke


@pytest.fixture
def folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Folders of the daemon and of the hub that are nobody else's."""
    monkeypatch.setenv("SALISCOPE_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("SALISCOPE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file of two reviews."""
    file = tmp_path / "data.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in ROWS), encoding="utf-8")
    return file
