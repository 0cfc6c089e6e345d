"""One record of a live document: what was told of it, and where that stands after the edits since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from saliscope.protocol.documents import Label, RecordAttribution, RecordFinding, RecordFindings, Span
from saliscope.protocol.edits import Edit
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.protocol.findings import FINDINGS

RecordState = Literal["waiting", "predicted", "partial", "final"]


class Places(NamedTuple):
    """Spans within a record of `length` code points; they count from its start, so that it can move as it is."""

    length: int
    tokens: tuple[Span | None, ...] = ()
    features: tuple[Span | None, ...] = ()
    truncated_at: int | None = None
    findings: tuple[Span, ...] = ()

    def edited(self, edit: Edit) -> Places:
        """After an edit in positions of the record: what it changed is nowhere, findings stretch or shrink with it."""
        cut = self.truncated_at
        return Places(
            landed(self.length, edit),
            _moved(self.tokens, edit),
            _moved(self.features, edit),
            None if cut is None else landed(cut, edit),
            tuple((landed(start, edit), landed(end, edit)) for start, end in self.findings),
        )

    def within(self, length: int, findings: tuple[Span, ...]) -> Places:
        """In a record of another length, with other findings: what lies beyond its end is nowhere."""
        cut = self.truncated_at
        tokens, features = (
            tuple(span if span is None or span[1] <= length else None for span in spans)
            for spans in (self.tokens, self.features)
        )
        return Places(length, tokens, features, None if cut is None else min(cut, length), findings)


def landed(place: int, edit: Edit) -> int:
    """Where a place lies after an edit; one within it lies at its end."""
    if place < edit.start or (place == edit.start and place < edit.end):
        return place
    return place + edit.shift if place >= edit.end else edit.start + len(edit.text)


class Drift:
    """By how far the records that share it have moved since they began to."""

    __slots__ = ("by",)

    def __init__(self) -> None:
        self.by = 0


@dataclass(eq=False, slots=True)
class LiveRecord:
    """A record of a document, in the positions of the document's text now.

    `explanation` is what was told last, with positions in its own text; `stale` says that the text under it changed
    since. A record without an explanation waits for one, unless a finding says why it gets none. The `prediction` may
    be newer than the explanation (`state` "predicted").
    """

    id: int
    base: int
    """Where it starts, without what its drift adds."""
    places: Places
    label: Label | None = None
    explanation: Explanation | None = None
    prediction: Prediction | None = None
    told: Places | None = None
    """The places before the edits that nobody has answered yet."""
    version: int = 0
    """The version of the document whose text was explained."""
    heard: int = 0
    """The version of the document in which anything was told of it last."""
    awaited: int = 0
    """The version of the document of which something is still to be told."""
    is_final: bool = False
    is_predicted: bool = False
    """Whether the prediction is of the text that the daemon has, and the explanation is not."""
    is_outdated: bool = False
    """Whether the daemon, too, has another text than the one that was explained."""
    is_touched: bool = False
    """Whether it was edited since the daemon last said what became of it."""
    found: tuple[RecordFinding, ...] = ()
    drift: Drift | None = None

    def __post_init__(self) -> None:
        if self.explanation is not None and self.prediction is None:
            self.prediction = self.explanation.prediction

    @property
    def start(self) -> int:
        """The code point where it begins."""
        return self.base if self.drift is None else self.base + self.drift.by

    @start.setter
    def start(self, place: int) -> None:
        self.base = place if self.drift is None else place - self.drift.by

    def drift_with(self, drift: Drift | None) -> None:
        """Move with what shares a drift from now on (None: with nothing), from where it stands."""
        start = self.start
        self.drift = drift
        self.start = start

    @property
    def end(self) -> int:
        """The code point behind the record."""
        return self.start + self.places.length

    @property
    def stale(self) -> bool:
        """Whether the text changed since it was explained."""
        return self.is_outdated or self.is_touched or self.heard < self.awaited

    @property
    def state(self) -> RecordState:
        """What is known of the text as it is now: nothing, the prediction, an explanation so far, or the last one."""
        if self.is_predicted and not self.is_touched:
            return "predicted"
        if self.stale or not (self.is_final or self.explanation):
            return "waiting"
        return "final" if self.is_final else "partial"

    @property
    def tokens(self) -> list[Span | None]:
        """Where the tokens of the explanation stand in the document; None: nowhere, or no longer."""
        return self._placed(self.places.tokens)

    @property
    def features(self) -> list[Span | None]:
        """Where the features of the explanation stand in the document; None: nowhere, or no longer."""
        return self._placed(self.places.features)

    @property
    def truncated_at(self) -> int | None:
        """The code point of the document from which on the model reads nothing of the record."""
        cut = self.places.truncated_at
        return None if cut is None else self.start + cut

    @property
    def findings(self) -> list[RecordFinding]:
        """What is worth knowing of it, at places of the document."""
        return [
            RecordFinding(one.kind, one.message, self.start + start, self.start + end)
            for one, (start, end) in zip(self.found, self.places.findings, strict=True)
        ]

    def edited(self, edit: Edit) -> bool:
        """Move with an edit of the document; whether the edit touched the record."""
        moved = edit.moved(self.start, self.end)
        if moved is not None:
            self.start = moved[0]
            return False
        if not self.stale:
            self.told = self.places
        start = landed(self.start, edit) if self.start > edit.start else self.start
        # In positions of the record, whose beginning the edit may have taken.
        begin, end = max(edit.start - self.start, 0), max(edit.end - self.start, 0)
        text = edit.text if edit.start >= self.start else ""
        self.places = self.places.edited(Edit(begin, min(end, self.places.length), text))
        self.start = start
        self.is_touched = True
        return True

    def only_moved(self, start: int) -> None:
        """It stands at `start` after the edits that were answered, and says what it said before them."""
        self.start = start
        self.is_touched = False
        if self.told is not None and not self.is_outdated:
            self.places = self.told

    def outdate(self) -> None:
        """The daemon explains it anew."""
        self.is_outdated, self.is_touched, self.is_predicted = True, False, False

    def explain(self, told: RecordAttribution) -> None:
        """Take what was told of it."""
        at, length, findings = told.start, told.end - told.start, _found(told.findings, told.start)
        self.start, self.label, self.version, self.heard = at, told.label, told.version, told.version
        self.found = tuple(told.findings)
        self.is_final, self.is_touched = told.state == "final", False
        if told.explanation is None:
            # What was explained before stays, stale, until there is another explanation.
            self.prediction, self.is_predicted, self.is_outdated = told.prediction, True, self.explanation is not None
            self.places = self.places.within(length, findings)
        else:
            self.explanation, self.prediction = told.explanation, told.explanation.prediction
            self.is_predicted = self.is_outdated = False
            cut = None if told.truncated_at is None else told.truncated_at - at
            self.places = Places(length, _from(told.tokens, at), _from(told.features, at), cut, findings)
        self.told = self.places

    def keep_spans(self, places: Places) -> None:
        """Leave tokens and features where they stood in `places`."""
        self.places = places.within(self.places.length, self.places.findings)

    def find(self, told: RecordFindings, version: int) -> None:
        """Take its findings, told in a version of the document; one that leaves it unexplained ends the waiting."""
        base = self.told if self.is_touched and self.told is not None else self.places
        is_failed = any(one.kind == "failed" for one in told.findings)
        is_left = is_failed or any(FINDINGS[one.kind][0] for one in told.findings)
        self.start, self.label, self.found = told.start, told.label, tuple(told.findings)
        self.heard, self.is_touched = version, False
        if is_left and not (is_failed and self.version == version and not self.is_outdated):
            # An estimate of the same text is better than none.
            self.explanation = self.prediction = None
            base = Places(0)
        if is_left:
            self.version, self.is_outdated, self.is_predicted = version, False, False
        self.is_final = is_left or (self.is_final and self.explanation is not None)
        self.places = base.within(told.end - told.start, _found(told.findings, told.start))
        self.told = self.places

    def _placed(self, spans: Sequence[Span | None]) -> list[Span | None]:
        start = self.start
        return [span and (span[0] + start, span[1] + start) for span in spans]


def _moved(spans: Sequence[Span | None], edit: Edit) -> tuple[Span | None, ...]:
    """As `Edit.moved` has it, for many."""
    start, end, shift = edit.start, edit.end, edit.shift
    return tuple(
        span if span is None or span[1] <= start else ((span[0] + shift, span[1] + shift) if span[0] >= end else None)
        for span in spans
    )


def _from(spans: Sequence[Span | None], start: int) -> tuple[Span | None, ...]:
    return tuple(span and (span[0] - start, span[1] - start) for span in spans)


def _found(findings: Sequence[RecordFinding], start: int) -> tuple[Span, ...]:
    return tuple((one.start - start, one.end - start) for one in findings)
