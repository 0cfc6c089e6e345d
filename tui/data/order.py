"""Which rows the table shows, and in which order."""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from saliscope.tui.data.terms import Terms, fits_text, fits_verdict
from saliscope.tui.data.verdict import Verdict

Order = Literal["place", "confidence", "trouble"]
#: In this order `s` goes through them.
ORDERS: Final[tuple[Order, ...]] = ("place", "confidence", "trouble")
#: Rows that are read between two looks at whether anybody still wants them.
_TURN: Final = 512


class Wish(NamedTuple):
    """How the table is wanted."""

    order: Order = "place"
    terms: Terms = Terms()

    @property
    def is_plain(self) -> bool:
        """Whether it is the file as it is."""
        return self == Wish()


def arranged(
    wish: Wish,
    total: int,
    known: Mapping[int, Verdict],
    texts: Callable[[], Iterable[tuple[str, str]]],
    stop: threading.Event,
    on_progress: Callable[[int], None],
) -> Sequence[int]:
    """The rows that match, in order; `texts` gives the text and label of each row of the file, and is asked only if
    that matters. Once `stop` is set the answer is of no use.
    """
    rows: Sequence[int] = range(total)
    if wish.terms.judges:
        rows = [row for row in sorted(known) if row < total and fits_verdict(wish.terms, known[row])]
    if wish.terms.reads:
        rows = _read(wish.terms, set(rows) if wish.terms.judges else None, texts, stop, on_progress)
    if wish.order == "confidence":
        return array("q", sorted(rows, key=lambda row: _unsure(known.get(row))))
    if wish.order == "trouble":
        return array("q", sorted(rows, key=lambda row: _trouble(known.get(row))))
    return rows if isinstance(rows, range) else array("q", rows)


def _read(
    terms: Terms,
    among: set[int] | None,
    texts: Callable[[], Iterable[tuple[str, str]]],
    stop: threading.Event,
    on_progress: Callable[[int], None],
) -> list[int]:
    found = []
    for row, (text, label) in enumerate(texts()):
        if row % _TURN == 0:
            on_progress(row)
            if stop.is_set():
                break
        if (among is None or row in among) and fits_text(terms, text, label):
            found.append(row)
    return found


def _unsure(verdict: Verdict | None) -> tuple[int, float]:
    """The least sure first, those without a probability behind, unknown ones last."""
    if verdict is None:
        return 2, 0.0
    return (1, 0.0) if verdict.share is None else (0, verdict.share)


def _trouble(verdict: Verdict | None) -> tuple[int, float]:
    """Mispredicted ones first, the surest of them first; then failures, other findings, the rest, unknown ones."""
    if verdict is None:
        return 4, 0.0
    if verdict.is_wrong:
        return 0, -(verdict.share or 0.0)
    if "failed" in verdict.findings:
        return 1, 0.0
    return (2, verdict.share or 0.0) if verdict.findings else (3, 0.0)
