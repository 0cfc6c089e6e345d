"""What an explanation says that is worth a finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from saliscope.daemon.front.documents.record import Finding, Label
from saliscope.daemon.front.documents.store import Located
from saliscope.daemon.front.live.places import Places


def judge(located: Located, explanation: Mapping[str, Any], low_margin: float) -> Iterator[Finding]:
    """The findings of an explained record, in positions that count from its start."""
    yield from judge_prediction(located, explanation["prediction"], low_margin)
    if explanation["truncated_at"] is not None:
        cut = Places(located, explanation).rest(explanation["truncated_at"])
        start, end = (0, located.record.length) if cut is None else (cut[0] - located.start, cut[1] - located.start)
        yield Finding("truncated", "the model reads no further than here", (start, end))


def judge_prediction(located: Located, prediction: Mapping[str, Any], low_margin: float) -> Iterator[Finding]:
    """What the prediction alone says that is worth a finding."""
    record = located.record
    whole = (0, record.length)
    label_span = next(
        (field.map.to_source(0, len(field.text)) for field in record.fields if field.kind == "label"), whole
    )
    if record.label is not None and _contradicts(record.label, prediction):
        yield Finding("mismatch", f"the label is {record.label}, the prediction {prediction['label']}", label_span)
    margin = _margin(prediction)
    if margin is not None and margin < low_margin:
        yield Finding("low-margin", f"the first two classes differ by {margin:.3f}", whole)


def _contradicts(label: Label, prediction: Mapping[str, Any]) -> bool:
    """Whether the prediction is another than a label that is a class of the model, by name or by index."""
    if prediction.get("kind", "class") == "next-token":
        return False
    classes = [name.casefold() for name in prediction["probabilities"]]
    if isinstance(label, str) and label.casefold() in classes:
        return bool(label.casefold() != prediction["label"].casefold())
    if isinstance(label, str):
        # A longer one is no index, whatever it is.
        if not label.isdecimal() or len(label) > len(str(len(classes))):
            return False
        label = int(label)
    return bool(0 <= label < len(classes) and label != prediction["index"])


def _margin(prediction: Mapping[str, Any]) -> float | None:
    """The first probability less the second; None for what has no classes."""
    likely = sorted(prediction["probabilities"].values(), reverse=True)
    if prediction.get("kind", "class") == "next-token" or len(likely) < 2:
        return None
    return float(likely[0] - likely[1])
