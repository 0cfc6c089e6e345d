"""Which single tokens decide many records of a class: what a model may have learned in place of the matter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from saliscope.daemon.front.documents.mapping import Span
from saliscope.daemon.front.documents.record import Finding

#: A class of fewer explained records says nothing about shortcuts.
FEWEST: Final = 8
#: How far a share must move to be told anew.
_CLEARLY: Final = 0.05


class Decider(NamedTuple):
    """The feature with the strongest score for the predicted class: which class, its text, and its span."""

    label: str
    text: str
    span: Span


class Suspect(NamedTuple):
    """A token that decides `share` of the `num_records` explained records of a class."""

    label: str
    text: str
    share: float
    num_records: int


class Shortcuts:
    """Counts over the records of a document; a token is suspicious from a `share` of the records of a class on.

    Without a share nothing is.
    """

    def __init__(self, share: float | None) -> None:
        self._share = share
        self._deciders: dict[int, Decider] = {}
        self._suspects: dict[tuple[str, str], Suspect] = {}
        self._is_dirty = False

    def note(self, record: int, explanation: Mapping[str, Any], spans: Sequence[Span | None]) -> None:
        """A record was explained; `spans` say where its features stand, None: nowhere."""
        found = None if self._share is None else decider(explanation, spans)
        if found is None:
            self.forget(record)
            return
        old = self._deciders.get(record)
        self._deciders[record] = found
        self._is_dirty |= old is None or old[:2] != found[:2]

    def forget(self, record: int) -> None:
        """A record is gone, or another text now."""
        self._is_dirty |= self._deciders.pop(record, None) is not None

    def finding(self, record: int) -> Finding | None:
        """What is told of a record whose decider is suspicious as of the last `judge`."""
        found = self._deciders.get(record)
        suspect = None if found is None else self._suspects.get(found[:2])
        if found is None or suspect is None:
            return None
        share = f"{suspect.share:.0%} of the {suspect.num_records} records of {suspect.label}"
        return Finding("shortcut", f"{suspect.text!r} is the strongest in {share}", found.span)

    def judge(self) -> list[int]:
        """Count again; the records of which another thing is to be told than before."""
        if not self._is_dirty:
            return []
        self._is_dirty = False
        old, new = self._suspects, {one[:2]: one for one in self._count()}
        # What was told stands until it is clearly wrong; else every letter that is typed would be news of all records.
        self._suspects = {
            key: old[key] if key in old and abs(old[key].share - one.share) < _CLEARLY else one
            for key, one in new.items()
        }
        return [
            record for record, found in self._deciders.items() if old.get(found[:2]) != self._suspects.get(found[:2])
        ]

    def _count(self) -> Iterator[Suspect]:
        totals = Counter(found.label for found in self._deciders.values())
        for (label, text), num in Counter(found[:2] for found in self._deciders.values()).items():
            # One record is no pattern, whatever the share.
            if totals[label] >= FEWEST and num >= max(2, (self._share or 0.0) * totals[label]):
                yield Suspect(label, text, num / totals[label], totals[label])


def decider(explanation: Mapping[str, Any], spans: Sequence[Span | None]) -> Decider | None:
    """What decides an explained record; None where nothing speaks for the predicted class, or another was explained."""
    target, prediction = explanation["target"], explanation["prediction"]
    if target["kind"] != "class" or target["index"] != prediction["index"]:
        return None
    rows = zip(explanation["scores"], explanation["features"], spans, strict=False)
    placed = [(score, row["text"].strip().casefold(), span) for score, row, span in rows if span is not None]
    score, text, span = max(placed, key=lambda row: row[0], default=(0.0, "", (0, 0)))
    return Decider(prediction["label"], text, span) if score > 0 and text else None
