"""Tokens (or words) over all rows, counted in bounded memory: which decide, for which class, and by themselves?"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any, Final

from saliscope.protocol.jobs import ClassPair, Shortcut, TopType

#: How many types are told of a class, and compared between two.
TOP: Final = 50
COMPARED: Final = 100
#: Beyond twice so many types those in the fewest rows are left out.
MOST_TYPES: Final = 50_000
#: What makes a shortcut: so many rows, so often the strongest, so often the same prediction, and that share so far
#: above the class's own.
FEWEST_TEXTS: Final = 5
TOP_SHARE: Final = 0.5
PURITY: Final = 0.9
ABOVE: Final = 0.1
MOST_SHORTCUTS: Final = 50


class _Type:
    """What is known of one type: by class the summed shares of scores and the rows, and how often it was strongest."""

    __slots__ = ("rows", "top", "weight", "wrong")

    def __init__(self) -> None:
        self.weight: dict[str, float] = {}
        self.rows: Counter[str] = Counter()
        self.top = self.wrong = 0

    @property
    def num_rows(self) -> int:
        return self.rows.total()


class Types:
    """Counts the features of rows by their text, without blanks at its ends and in lower case."""

    def __init__(self, most: int = MOST_TYPES) -> None:
        self._most = most
        self._types: dict[str, _Type] = {}
        self._classes: Counter[str] = Counter()
        self.is_approximate = False

    def add(self, label: str, features: list[str], scores: list[float], *, wrong: bool) -> None:
        """One row, explained as `label`; `wrong`: it has another label. Its scores count as shares of their sum."""
        self._classes[label] += 1
        whole = sum(map(abs, scores)) or 1.0
        strongest = max(range(len(scores)), key=lambda at: abs(scores[at]), default=-1)
        shares: dict[str, float] = {}
        for text, score in zip(features, scores, strict=True):
            kind = text.strip().lower()
            shares[kind] = shares.get(kind, 0.0) + score / whole
        for kind, share in shares.items():
            found = self._types.get(kind)
            if found is None:
                found = self._types[kind] = _Type()
            found.weight[label] = found.weight.get(label, 0.0) + share
            found.rows[label] += 1
            found.wrong += wrong
        if strongest >= 0:
            self._types[features[strongest].strip().lower()].top += 1
        if len(self._types) > 2 * self._most:
            self._prune()

    def top(self) -> dict[str, list[TopType]]:
        """The strongest types of each class, those with the largest sum first."""
        return {label: found[:TOP] for label, found in self._strongest().items()}

    def overlap(self) -> list[ClassPair]:
        """How many of the strongest types two classes share."""
        tops = {label: {one.text for one in found} for label, found in self._strongest().items()}
        return [ClassPair([a, b], len(tops[a] & tops[b]), COMPARED) for a, b in combinations(tops, 2)]

    def shortcuts(self) -> list[Shortcut]:
        """Types that seem to decide by themselves, those in the most rows first."""
        found = []
        for kind, one in self._types.items():
            label, rows = one.rows.most_common(1)[0]
            texts, own = one.num_rows, self._classes[label] / self._classes.total()
            purity, top = rows / texts, one.top / texts
            if texts >= FEWEST_TEXTS and top >= TOP_SHARE and purity >= PURITY and purity >= own + ABOVE:
                found.append(Shortcut(kind, label, texts, top, purity, one.wrong))
        return sorted(found, key=lambda one: (-one.texts, one.text))[:MOST_SHORTCUTS]

    def _strongest(self) -> dict[str, list[TopType]]:
        return {
            label: sorted(
                (
                    TopType(kind, one.weight[label], one.rows[label])
                    for kind, one in self._types.items()
                    if one.weight.get(label, 0.0) > 0
                ),
                key=lambda one: (-one.weight, one.text),
            )[:COMPARED]
            for label in sorted(self._classes)
        }

    def _prune(self) -> None:
        self.is_approximate = True
        kept: list[tuple[str, Any]] = sorted(self._types.items(), key=lambda item: -item[1].num_rows)[: self._most]
        self._types = dict(kept)
