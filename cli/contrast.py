"""Two readings of the same texts, row by row: does the prediction change, and do other words decide?"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from msgspec import Struct

from saliscope.render.agreement import rank_correlation

#: The strongest words of each side that are compared.
TOP: Final = 3
#: Rows, and words, that are told one by one.
MOST_ROWS: Final = 50
MOST_WORDS: Final = 30
#: Words that are counted; those that come first after so many are not.
MOST_KINDS: Final = 100_000
_WORD: Final = re.compile(r"\w+|[^\w\s]")


class Scored(Struct):
    """A span of the text, `text[start:end]`, and its score."""

    start: int
    end: int
    score: float


class Reading(Struct):
    """What one side says of a text: prediction, its probability, what was explained, and the scores of spans."""

    text: str
    prediction: str
    probability: float | None
    target: str
    spans: list[Scored]


class Change(Struct):
    """One row that was compared: `agreement` is the rank correlation of the words' scores, `shared` the share of the
    strongest words that both sides have; null where there are too few words, or none.
    """

    row: int
    text: str
    before: str
    after: str
    probability_before: float | None
    probability_after: float | None
    agreement: float | None
    shared: float | None
    a: list[Scored]
    b: list[Scored]


class WordChange(Struct):
    """A word's mean share of a text's scores on either side, over the `texts` that have it."""

    text: str
    texts: int
    before: float
    after: float


class Contrast(Struct):
    """`saliscope diff --json`: `a` against `b` over `rows` texts, `left_out` of them because a side failed or differs.

    `moves[before][after]` are rows by their predictions. `changes` are the rows that changed most, `words` those whose
    share changed most.
    """

    a: str
    b: str
    rows: int
    left_out: int
    changed: int
    other_target: int
    probability_shift: float | None
    agreement: float | None
    shared: float | None
    moves: dict[str, dict[str, int]]
    changes: list[Change]
    words: list[WordChange]


class Contrasting:
    """Takes pairs of readings one after another; of the rows only those that changed most are held."""

    def __init__(self, a: str, b: str) -> None:
        self._a, self._b = a, b
        self._moves: dict[str, Counter[str]] = {}
        self._changes: list[Change] = []
        self._words: dict[str, list[float]] = {}
        self._shift, self._agreement, self._shared = _Mean(), _Mean(), _Mean()
        self._rows = self._left_out = self._changed = self._other_target = 0

    def skip(self) -> None:
        """A row that only one side could explain, or with another text on each side."""
        self._rows += 1
        self._left_out += 1

    def add(self, row: int, a: Reading, b: Reading) -> None:
        """One row."""
        self._rows += 1
        self._moves.setdefault(a.prediction, Counter())[b.prediction] += 1
        self._changed += a.prediction != b.prediction
        self._other_target += a.target != b.target
        words = [Scored(found.start(), found.end(), 0.0) for found in _WORD.finditer(a.text)]
        ours, theirs = _shares(words, a.spans), _shares(words, b.spans)
        change = Change(
            row, a.text, a.prediction, b.prediction, a.probability, b.probability,
            rank_correlation(ours, theirs), _shared(ours, theirs), _scored(words, ours), _scored(words, theirs),
        )  # fmt: skip
        if a.probability is not None and b.probability is not None:
            self._shift.add(abs(b.probability - a.probability))
        self._agreement.add(change.agreement)
        self._shared.add(change.shared)
        for word, before, after in zip(words, ours, theirs, strict=True):
            kind = a.text[word.start : word.end].lower()
            if kind not in self._words and len(self._words) >= MOST_KINDS:
                continue
            sums = self._words.setdefault(kind, [0.0, 0.0, 0.0])
            sums[0] += 1
            sums[1] += before
            sums[2] += after
        self._changes.append(change)
        if len(self._changes) > 4 * MOST_ROWS:
            self._changes = sorted(self._changes, key=_rank)[:MOST_ROWS]

    def result(self) -> Contrast:
        """All of it."""
        words = [
            WordChange(word, int(texts), before / texts, after / texts)
            for word, (texts, before, after) in self._words.items()
        ]
        words.sort(key=lambda one: (-abs(one.after - one.before) * one.texts**0.5, one.text))
        return Contrast(
            self._a, self._b, self._rows, self._left_out, self._changed, self._other_target,
            self._shift.value, self._agreement.value, self._shared.value,
            {before: dict(after) for before, after in sorted(self._moves.items())},
            sorted(self._changes, key=_rank)[:MOST_ROWS], words[:MOST_WORDS],
        )  # fmt: skip


def _shares(words: list[Scored], spans: list[Scored]) -> list[float]:
    """What each word has of all scores: a span's is spread over its characters, so that sides may cut differently."""
    whole = sum(abs(span.score) for span in spans) or 1.0
    found = [0.0] * len(words)
    for span in spans:
        for at, word in enumerate(words):
            common = min(span.end, word.end) - max(span.start, word.start)
            if common > 0:
                found[at] += span.score / whole * common / (span.end - span.start)
    return found


def _shared(a: list[float], b: list[float]) -> float | None:
    if len(a) < TOP:
        return None
    tops = [set(sorted(range(len(one)), key=lambda at: -abs(one[at]))[:TOP]) for one in (a, b)]
    return len(tops[0] & tops[1]) / TOP


def _scored(words: list[Scored], shares: list[float]) -> list[Scored]:
    return [Scored(word.start, word.end, share) for word, share in zip(words, shares, strict=True)]


def _rank(change: Change) -> tuple[bool, float, int]:
    """Those with another prediction first, then those with the least agreement."""
    return change.before == change.after, 1.0 if change.agreement is None else change.agreement, change.row


class _Mean:
    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float | None) -> None:
        if value is not None:
            self._sum += value
            self._count += 1

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None
