"""A session without a daemon: a model that knows a few words, which answers when the test says so."""

from __future__ import annotations

import asyncio
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
from saliscope.protocol.explanation import Cost, Explanation, Feature, Output, Prediction, Segment, TargetInfo, Token
from saliscope.protocol.jobs import ClassPair, Job, JobResults, Shortcut, Slice, TopType
from saliscope.protocol.live import LiveDocument
from saliscope.protocol.live.choices import Choices
from saliscope.protocol.results import (
    Generated,
    MethodInfo,
    ModelInfo,
    Predictions,
    Status,
    WrittenToken,
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
RESULTS = JobResults(
    "a1", "/tmp/out.jsonl", 412, 1, "demo-encoder", "f" * 8, "occlusion", {"too_large": 1}, [], 0.87,
    {"negative": {"negative": 190, "positive": 16}, "positive": {"negative": 37, "positive": 168}},
    {"negative": [TopType("dull", 21.5, 60), TopType("boring", 14.2, 44), TopType("mess", 8.0, 31)],
     "positive": [TopType("wonderful", 30.1, 71), TopType("charming", 12.4, 40), TopType("but", 2.0, 90)]},
    [ClassPair(["negative", "positive"], 12, 100)],
    [Slice("label", "negative", 206, 1, 206, 0.92, 0.81, 0.42),
     Slice("length", "to 8 words", 80, 0, 80, 0.8, 0.7, 0.5)],
    [Shortcut("netflix", "negative", 14, 0.71, 0.93, 4)], 9000, 0,
)  # fmt: skip


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
        "prediction": Prediction(
            ("negative", "positive")[share >= 0.5], int(share >= 0.5), {"negative": 1 - share, "positive": share}
        ),
        "tokens": tokens,
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
        self.jobs: list[Job] = []
        self.is_plain = False
        #: A test may hold the model up between two tokens.
        self.between = asyncio.Event()
        self.between.set()

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

    async def predict(self, texts: Any = None, **options: Any) -> Predictions:
        self._note("predict", texts, **options)
        if texts is None:
            texts = "\n".join(one["content"] for one in options["messages"])
        rows = [texts] if isinstance(texts, str) else texts
        if (mask := options.get("mask")) is not None:
            for start, end in mask.spans:
                rows = [text[:start] + " " * (end - start) + text[end:] for text in rows]
        return Predictions("demo-encoder", [explanation(text).prediction for text in rows], [None for _ in rows])

    async def explain(self, text: Any = None, **options: Any) -> Any:
        self._note("explain", text, **options)
        made: dict[str, Any] = {"model": options.get("model"), "method": options.get("method")}
        pair = options.get("pair")
        if text is None or isinstance(pair, str):
            messages = options.get("messages") or [
                {"role": "text", "content": text}, {"role": "pair", "content": pair},
            ]  # fmt: skip
            parts, at, segments = [], 0, []
            for one in messages:
                parts.append(one["content"])
                segments.append(Segment(one["role"], at, at + len(one["content"])))
                at += len(one["content"]) + 1
            return explanation("\n".join(parts), segments=segments, **made)
        if isinstance(text, list):
            return [explanation(one, **made) for one in text]
        found = explanation(text, **made)
        return by_sentence(found) if options.get("granularity") == "sentence" else found

    async def generate(self, text: Any = None, **options: Any) -> Generated:
        """Two words and an end, or as many as are asked for; a chat has no template where `is_plain`."""
        self._note("generate", text, text=text, **options)
        if text is None and self.is_plain:
            raise SaliscopeError("not_capable", "this model has no chat template; send its prompt as a text")
        said, count = [" a", " wonderful", " cast"], options.get("max_tokens", 64)
        so_far, tokens = "", []
        for number, word in enumerate(said[:count]):
            likely = {word: 0.6 - 0.2 * number, " the": 0.2, " so": 0.1}
            tokens.append(WrittenToken(100 + number, len(so_far), len(so_far + word), likely[word], likely))
            so_far += word
            if (listen := options.get("on_written")) is not None:
                listen(Generated("demo-decoder", so_far, list(tokens), "", 5, 0, 0.0))
                await self.between.wait()
                if self.failure is not None:
                    raise self.failure
        return Generated("demo-decoder", so_far, tokens, "length", 5, 0, 0.0)

    async def list_jobs(self) -> list[Job]:
        self._note("list_jobs")
        return self.jobs

    async def job_status(self, job: str) -> Job:
        self._note("job_status", job)
        return next(one for one in self.jobs if one.job == job)

    async def job_results(self, job: str) -> JobResults:
        self._note("job_results", job)
        return RESULTS

    async def load_model(self, model: str) -> ModelInfo:
        self._note("load_model", model)
        return ENCODER


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
