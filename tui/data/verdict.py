"""What is known of the rows of a data set: what the model says of each, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final, NamedTuple

from saliscope.protocol.explanation import Prediction
from saliscope.sources.outputs import Found

#: Where the first two classes differ by less, that is a finding, as for live documents.
LOW_MARGIN: Final = 0.1


class Verdict(NamedTuple):
    """What the model says of a row: `share` is the probability of `predicted` (None: it has none)."""

    predicted: str
    share: float | None
    label: str = ""
    findings: tuple[str, ...] = ()

    @property
    def is_wrong(self) -> bool:
        """Whether the label is another."""
        return "mismatch" in self.findings


def verdict_of(prediction: Prediction, label: str | int | None, truncated_at: int | None) -> Verdict:
    """What a prediction says of a row with a label."""
    classes = prediction.probabilities if prediction.kind == "class" else {}
    findings = []
    if label is not None and _contradicts(label, prediction.label, prediction.index, classes):
        findings.append("mismatch")
    likely = sorted(classes.values(), reverse=True)
    if len(likely) > 1 and likely[0] - likely[1] < LOW_MARGIN:
        findings.append("low-margin")
    if truncated_at is not None:
        findings.append("truncated")
    share = prediction.probabilities.get(prediction.label)
    return Verdict(prediction.label, share, "" if label is None else str(label), tuple(findings))


def verdict_of_job(found: Found, classes: Collection[str]) -> Verdict:
    """What a job has found out about a row; `classes` are those of the model, as far as they are known."""
    if found.code is not None:
        return Verdict("", None, found.label or "", ("failed",))
    findings, said = [], found.prediction or ""
    if found.label is not None and _contradicts(found.label, said, found.prediction_index or 0, classes):
        findings.append("mismatch")
    if found.probability is not None and len(classes) == 2 and 2 * found.probability - 1 < LOW_MARGIN:
        findings.append("low-margin")
    if found.truncated_at is not None:
        findings.append("truncated")
    return Verdict(said, found.probability, found.label or "", tuple(findings))


def _contradicts(label: str | int, said: str, index: int, classes: Collection[str]) -> bool:
    """Whether a label is another class of the model, by name or by index."""
    names = [name.casefold() for name in classes]
    if isinstance(label, str) and label.casefold() in names:
        return label.casefold() != said.casefold()
    if isinstance(label, str):
        if not label.isdecimal() or len(label) > len(str(len(names))):
            return False
        label = int(label)
    return 0 <= label < len(names) and label != index


class Known:
    """The verdicts by row, with the counts that a line of summary needs."""

    def __init__(self) -> None:
        self._verdicts: dict[int, Verdict] = {}
        self.num_labelled = self.num_wrong = 0

    def __len__(self) -> int:
        return len(self._verdicts)

    def __contains__(self, row: int) -> bool:
        return row in self._verdicts

    def get(self, row: int) -> Verdict | None:
        """What is known of a row."""
        return self._verdicts.get(row)

    def put(self, row: int, verdict: Verdict) -> None:
        """Know this of a row from now on."""
        self.forget(row)
        self._verdicts[row] = verdict
        self._count(verdict, 1)

    def forget(self, row: int) -> None:
        """Know nothing of a row any more."""
        old = self._verdicts.pop(row, None)
        if old is not None:
            self._count(old, -1)

    def clear(self) -> None:
        """Know nothing any more."""
        self._verdicts = {}
        self.num_labelled = self.num_wrong = 0

    def all(self) -> Mapping[int, Verdict]:
        """A copy, for other threads."""
        return dict(self._verdicts)

    def wrong(self) -> Iterator[int]:
        """The rows whose label is another than the prediction."""
        return (row for row, verdict in self._verdicts.items() if verdict.is_wrong)

    def _count(self, verdict: Verdict, by: int) -> None:
        self.num_labelled += by * bool(verdict.label and verdict.predicted)
        self.num_wrong += by * verdict.is_wrong
