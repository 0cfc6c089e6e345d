"""A session without a daemon: a model that knows a few words, which answers when the test says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from saliscope.protocol.documents import (
    DocumentFailed,
    DocumentFindings,
    DocumentState,
    RecordAttribution,
    RecordFinding,
    RecordFindings,
)
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live import LiveDocument
from saliscope.protocol.live.choices import Choices
from saliscope.protocol.results import (
    Cost,
    Explanation,
    Feature,
    MethodInfo,
    ModelInfo,
    Output,
    Prediction,
    Predictions,
    Status,
    TargetInfo,
    Token,
)

SCORES = {"wonderful": 0.9, "charming": 0.6, "dull": -0.8, "boring": -0.5, "mess": -0.45, "but": 0.2, "cast": 0.25}
PARAMS = {
    "type": "object",
    "properties": {
        "window": {"type": "integer", "minimum": 1, "maximum": 64, "default": 1, "description": "Tokens at once."},
        "hide": {"enum": ["mask", "unk"], "default": "mask", "description": "What takes their place."},
        "exact": {"type": "boolean", "default": False, "description": "No shortcuts."},
        "layer": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None, "description": "Which layer."},
    },
}
METHODS = [
    MethodInfo("input-x-gradient", "Gradient times embedding.", "gradient", ["gradients"], ["class", "next-token"],
               True, False, "1 backward", ""),
    MethodInfo("occlusion", "How far the target falls when a token is hidden.", "perturbation", ["mask"], ["class"],
               True, False, "n forward", "Zeiler and Fergus 2014", PARAMS, {"window": 1, "hide": "mask"}),
    MethodInfo("sp-pi", "What each longer beginning of the text adds.", "progressive", ["causal"],
               ["class", "next-token"], True, False, "1 forward", "Kariyappa et al. 2024"),
    MethodInfo("attention-last", "Attention of the last layer.", "attention", ["attention"], ["class"], False, False,
               "1 forward", ""),
]  # fmt: skip
ENCODER = ModelInfo(
    "demo-encoder", "ready", "encoder-classifier", ["negative", "positive"],
    ["class", "gradients", "mask", "attention"],
    "input-x-gradient", 256, num_layers=6, num_bytes=13_600_000, device="cpu",
)  # fmt: skip
DECODER = ModelInfo(
    "demo-decoder",
    "available",
    "decoder-classifier",
    ["negative", "positive"],
    ["class", "gradients", "causal"],
    "sp-pi",
    256,
)
STATUS = Status(4711, "0.1.0", 1, 75.0, "/run/daemon.sock", 1, {"in_flight": 0, "answered": 3}, [],
                [ENCODER], {"front_rss": 46_000_000, "workers_rss": 140_000_000})  # fmt: skip


def explanation(text: str, **changes: Any) -> Explanation:
    """What a model that knows a few words says of a text."""
    spans = words(text)
    scores = [SCORES.get(text[start:end].lower(), 0.02) for start, end in spans]
    if changes.get("method") == "occlusion":
        scores = [score * abs(score) + 0.01 * at for at, score in enumerate(scores)]
    tokens = [Token("[CLS]", 0, 0, True, [101])]
    tokens += [Token(text[a:b], a, b, False, [1000 + at]) for at, (a, b) in enumerate(spans)]
    share = 1 / (1 + 2.718 ** -sum(scores))
    target = TargetInfo("class", "positive", 1)
    fields: dict[str, Any] = {
        "text": text, "model": "demo-encoder", "method": "input-x-gradient", "params": {}, "target": target,
        "scale": "logit", "granularity": "token",
        "prediction": Prediction("positive", 1, {"negative": 1 - share, "positive": share}), "tokens": tokens,
        "features": [Feature(text[a:b], a, b, [at + 1]) for at, (a, b) in enumerate(spans)], "scores": scores,
        "outputs": [Output(target, scores, stderr=[0.01 for _ in scores])], "value": 1.5, "base_value": None,
        "signed": True, "additive": False, "gap": None, "baseline": None, "seed": 0, "estimate": "final",
        "cost": Cost(1, 1), "timing_ms": {"total": 12.0}, "truncated_at": None, "fingerprint": "f" * 8,
    }  # fmt: skip
    return Explanation(**{**fields, **{name: value for name, value in changes.items() if value is not None}})


def by_sentence(found: Explanation) -> Explanation:
    """The same with a feature for each part of the text that ends with a full stop or a comma."""
    features, scores = [Feature("", 0, 0, [])], [0.0]
    for feature, score in zip(found.features, found.scores, strict=True):
        begin = feature.start if not features[-1].tokens else features[-1].start
        text = found.text[begin : feature.end]
        features[-1] = Feature(text, begin, feature.end, features[-1].tokens + feature.tokens)
        scores[-1] += score
        if feature.text in ".,":
            features.append(Feature("", 0, 0, []))
            scores.append(0.0)
    rows = [(feature, score) for feature, score in zip(features, scores, strict=True) if feature.tokens]
    return msgspec.structs.replace(
        found, granularity="sentence", features=[row[0] for row in rows], scores=[row[1] for row in rows]
    )


def words(text: str) -> list[tuple[int, int]]:
    """Spans of the words, punctuation by itself."""
    spans, at = [], 0
    spaced = "".join(f" {char} " if char in ",.;:!?" else char for char in text)
    for word in spaced.split():
        at = text.index(word, at)
        spans.append((at, at + len(word)))
        at += len(word)
    return spans


class FakeClient:
    """The calls that the app makes; `failure` is raised instead of an answer."""

    def __init__(self) -> None:
        self.status_now = STATUS
        self.failure: SaliscopeError | None = None
        self.calls: list[tuple[str, Any, dict[str, Any]]] = []

    def _note(self, call: str, what: Any = None, **options: Any) -> None:
        self.calls.append((call, what, options))
        if self.failure is not None:
            raise self.failure

    async def status(self) -> Status:
        self._note("status")
        return self.status_now

    async def models(self) -> list[ModelInfo]:
        self._note("models")
        return [ENCODER, DECODER]

    async def methods(self) -> list[MethodInfo]:
        self._note("methods")
        return METHODS

    async def predict(self, text: str, **options: Any) -> Predictions:
        self._note("predict", text, **options)
        for start, end in options["mask"].spans:
            text = text[:start] + " " * (end - start) + text[end:]
        return Predictions("demo-encoder", [explanation(text).prediction])

    async def explain(self, text: str, **options: Any) -> Explanation:
        self._note("explain", text, **options)
        found = explanation(text, model=options.get("model"), method=options.get("method"))
        return by_sentence(found) if options.get("granularity") == "sentence" else found


class FakeSession:
    """The interface of `LiveSession`; with `answers` it explains each record as soon as it is asked."""

    def __init__(
        self,
        on_change: Callable[[LiveDocument, Sequence[int] | None], None],
        on_state: Callable[[str, str], None],
        *,
        answers: bool = True,
        **_: Any,
    ) -> None:
        self.on_change, self.on_state, self.answers = on_change, on_state, answers
        self.client: FakeClient | None = None
        self.fake = FakeClient()
        self.documents: dict[str, LiveDocument] = {}
        self.focused: list[int] = []
        self.is_stopped = False

    async def start(self) -> None:
        self.client = self.fake
        self.on_state("connected", "")
        for name in self.documents:
            self.explain(name)

    async def stop(self) -> None:
        self.is_stopped = True

    def open(self, name: str, text: str, *, path: Any, trigger: str, **options: Any) -> LiveDocument:
        self.documents[name] = document = LiveDocument(name, text, Choices(None, options))
        self._opened(document)
        return document

    def _opened(self, document: LiveDocument) -> None:
        document.opened(DocumentState(document.name, (document.opening or 0) + 1, 0, "text", 1, 1, 1, 0))
        if self.client is not None:
            self.explain(document.name)

    def change(self, name: str, edits: Sequence[Edit]) -> None:
        document = self.documents[name]
        document.edit(list(edits))
        self.on_change(document, None)
        if self.client is not None:
            self.explain(name)

    def focus(self, name: str, at: int) -> None:
        self.focused.append(at)

    def configure(self, name: str, **options: Any) -> None:
        self.documents[name].choose(Choices(None, options))
        self._opened(self.documents[name])

    def close(self, name: str) -> None:
        del self.documents[name]

    # -- what the daemon would say ----------------------------------------------------------------

    def explain(self, name: str = "text", state: str = "final", **changes: Any) -> None:
        """Tell an explanation of the whole text, if this session answers or is told to."""
        document = self.documents[name]
        if document.has_unsent:
            document.next_batch()
        if not (self.answers or changes or state != "final") or not document.text.strip():
            return
        options = {key: document.options.get(key) for key in ("model", "method", "granularity")}
        found = explanation(document.text, **{**options, **changes})
        is_predicted = state == "predicted"
        spans = [] if is_predicted else [(feature.start, feature.end) for feature in found.features]
        tokens = [] if is_predicted else [(token.start, token.end) for token in found.tokens]
        document._in_flight = []
        document._answered = document.version
        document.take(RecordAttribution(
            document.name, document.opening or 0, document.version, 0, 0, len(document.text), None, state,  # type: ignore[arg-type]
            list(tokens), list(spans), found.truncated_at, [], None if is_predicted else found,
            found.prediction if is_predicted else None,
        ))  # fmt: skip
        self.on_change(document, [0])

    def refuse(self, code: str, message: str, name: str = "text") -> None:
        """Tell that nothing can be explained so."""
        document = self.documents[name]
        document.take(DocumentFailed(name, document.opening or 0, document.version, code, message))
        self.on_change(document, None)

    def fail_record(self, code: str, message: str, name: str = "text") -> None:
        """Tell that the model could not explain the record."""
        document = self.documents[name]
        size = len(document.text)
        row = RecordFindings(0, 0, size, None, [RecordFinding("failed", f"{code}: {message}", 0, size)])
        document.take(DocumentFindings(name, document.opening or 0, document.version, [row]))
        self.on_change(document, [0])

    def lose(self) -> None:
        """The daemon is gone."""
        self.client = None
        self.on_state("lost", "")
