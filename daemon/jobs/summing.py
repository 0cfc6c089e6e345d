"""What the rows of a job say together, summed up while they are merged, in memory that does not grow with them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Final

from saliscope.daemon.jobs.types import Types
from saliscope.protocol.jobs import FailedRow, JobResults, Slice

#: Failed rows that are told one by one.
MOST_FAILURES: Final = 100
#: Values of a field, and classes, that are told apart; all others are one.
MOST_VALUES: Final = 64
OTHERS: Final = "(others)"
_LENGTHS: Final = ((8, "to 8 words"), (32, "9 to 32 words"), (128, "33 to 128 words"))


class _Slice:
    __slots__ = ("concentration", "explained", "failed", "labelled", "probability", "right", "rows")

    def __init__(self) -> None:
        self.rows = self.failed = self.explained = self.labelled = self.right = 0
        self.probability = self.concentration = 0.0


class Sums:
    """Takes the rows of an output, one after another."""

    def __init__(self) -> None:
        self._types = Types()
        self._all = _Slice()
        self._slices: dict[str, dict[str, _Slice]] = {}
        self._confusion: dict[str, Counter[str]] = {}
        self._codes: Counter[str] = Counter()
        self._failures: list[FailedRow] = []
        self._method = ""
        self._passes = [0, 0]

    def add(self, row: dict[str, Any]) -> None:
        """One row of the output."""
        within = [self._all, *(self._slice(name, value) for name, value in row["slices"].items())]
        if row["text"] is not None:
            within.append(self._slice("length", _length(row["text"])))
        if row["label"] is not None:
            within.append(self._slice("label", row["label"]))
        if row["code"] is not None:
            self._failed(row, within)
            return
        self._method = row["method"]
        self._passes[0] += row["forward_rows"]
        self._passes[1] += row["backward_rows"]
        label, said = row["label"], row["prediction"]
        is_right = label in (said, str(row["prediction_index"]))
        if label is not None:
            told = self._confusion.setdefault(_kept(said if is_right else label, self._confusion), Counter())
            told[_kept(said, told)] += 1
        scores = row["scores"]
        strongest, whole = max(map(abs, scores), default=0.0), sum(map(abs, scores))
        for one in within:
            one.rows += 1
            one.explained += 1
            one.labelled += label is not None
            one.right += label is not None and is_right
            one.probability += row["probability"] or 0.0
            one.concentration += strongest / whole if whole else 0.0
        self._types.add(row["target"], row["features"], scores, wrong=label is not None and not is_right)

    def results(self, job: str, out: Path, model: str, fingerprint: str) -> JobResults:
        """All of it."""
        every, types = self._all, self._types
        return JobResults(
            job, str(out), every.rows, every.failed, model, fingerprint, self._method, dict(self._codes),
            self._failures, _share(every.right, every.labelled),
            {label: dict(told) for label, told in sorted(self._confusion.items())}, types.top(), types.overlap(),
            [_told(name, value, one) for name, found in sorted(self._slices.items()) for value, one in found.items()],
            types.shortcuts(), self._passes[0], self._passes[1], types.is_approximate,
        )  # fmt: skip

    def _slice(self, field: str, value: str) -> _Slice:
        found = self._slices.setdefault(field, {})
        return found.setdefault(_kept(value, found), _Slice())

    def _failed(self, row: dict[str, Any], within: list[_Slice]) -> None:
        self._codes[row["code"]] += 1
        for one in within:
            one.rows += 1
            one.failed += 1
        if len(self._failures) < MOST_FAILURES:
            self._failures.append(FailedRow(row["row"], row["id"], row["code"], row["message"]))


def _kept(value: str, known: dict[str, Any] | Counter[str]) -> str:
    return value if value in known or len(known) < MOST_VALUES else OTHERS


def _length(text: str) -> str:
    words = len(text.split())
    return next((name for most, name in _LENGTHS if words <= most), "more than 128 words")


def _told(field: str, value: str, one: _Slice) -> Slice:
    return Slice(
        field, value, one.rows, one.failed, one.labelled, _share(one.right, one.labelled),
        _share(one.probability, one.explained), _share(one.concentration, one.explained),
    )  # fmt: skip


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None
