"""A live document as a client has it: its text, its records, and which edits the daemon has not answered yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, count
from typing import Any, Final

from saliscope.protocol.documents import (
    DocumentChanged,
    DocumentFailed,
    DocumentFindings,
    DocumentSettled,
    DocumentState,
    RecordAttribution,
    RecordFindings,
)
from saliscope.protocol.edits import Edit, check_edits
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live.choices import Choices
from saliscope.protocol.live.order import Order
from saliscope.protocol.live.record import LiveRecord, Places

Told = RecordAttribution | DocumentFindings | DocumentFailed | DocumentSettled

#: Code points of a text that travel at once; the daemon reads strings of four times as many bytes.
MOST_SENT: Final = 1 << 20
#: Edits that travel at once.
MOST_EDITS: Final = 10_000


class LiveDocument:
    """The text, edited at once, and the records that the daemon told of, moved along; plain data without a connection.

    `version` counts the changes of the text here. `failed` says that no record can be explained with these options,
    `problem` that the daemon refused the document (it is offered again with the next edit, or other options).
    Methods that take something in return the ids of the records concerned; None: all of them.
    """

    def __init__(self, name: str, text: str, choices: Choices) -> None:
        self.name, self.text = name, text
        self.choose(choices)
        self.version = 0
        self.format = ""
        self.failed: DocumentFailed | None = None
        self.problem: SaliscopeError | None = None
        self.opening: int | None = None
        self.num_records = self.num_explainable = 0
        self._records: dict[int, LiveRecord] = {}
        self._ordered = Order()
        # Records of an earlier opening, under ids that the daemon gives to none.
        self._ghosts: set[int] = set()
        self._ghost_ids = count(-1, -1)
        # Edits that were not sent, that were sent and not answered, and the version that was answered last.
        self._unsent: list[Edit] = []
        self._in_flight: list[Edit] = []
        self._answered = 0
        self._explained_by: dict[str, Any] | None = None
        self._early: list[Told] = []
        self._settled: int | None = None

    def choose(self, choices: Choices) -> None:
        """It is explained so from now on; `settings_problems` are lines of `settings_file` that are not used."""
        self.options: dict[str, Any] = choices.options
        self.trigger = choices.trigger
        self.settings_file, self.settings_problems = choices.file, choices.problems

    @property
    def records(self) -> Order:
        """The records that were told of, in order of place."""
        return self._ordered

    def record(self, id: int) -> LiveRecord | None:
        """The record with an id."""
        return self._records.get(id)

    def record_at(self, offset: int) -> LiveRecord | None:
        """The record at a code point of the text; the place right behind a record is still its own."""
        return self._ordered.at(offset)

    @property
    def has_unsent(self) -> bool:
        """Whether the daemon does not know the newest text."""
        return bool(self._unsent)

    @property
    def is_ahead(self) -> bool:
        """Whether the daemon has not answered all edits and other options: till then records are those of before.

        An edit at the edge of a record may belong to it.
        """
        return self.has_unsent or self.is_in_flight or self._explained_by != self.options

    @property
    def is_in_flight(self) -> bool:
        """Whether edits were sent and not answered."""
        return bool(self._in_flight)

    @property
    def is_settled(self) -> bool:
        """Whether the daemon knows the newest text, and has told all that it will tell of it."""
        return self._settled == self._answered and not self.is_ahead

    # -- the text here ----------------------------------------------------------------------------

    def edit(self, edits: Sequence[Edit], text: str | None = None) -> list[int]:
        """Change the text, each edit in the positions that those before it leave; the records that they touch.

        Who has the text that the edits make gives it, and it is not made a second time. A range outside the text is
        refused with `bad_request`, and nothing is changed.
        """
        check_edits(edits, len(self.text))
        if text is None:
            for edit in edits:
                self.text = edit.applied(self.text)
        else:
            self.text = text
        touched: dict[int, None] = {}
        for edit in edits:
            touched.update((record.id, None) for record in self._ordered.move(edit))
        self._unsent += edits
        self.version += 1
        return list(touched)

    # -- what travels -----------------------------------------------------------------------------

    def begin(self) -> str:
        """The part of the whole text to open the document with; what is left of it follows as edits."""
        self.opening = self._settled = self.problem = None
        self._early.clear()
        self._in_flight = []
        starts = range(MOST_SENT, len(self.text), MOST_SENT)
        self._unsent = [Edit(at, at, self.text[at : at + MOST_SENT]) for at in starts]
        return self.text[:MOST_SENT]

    def next_batch(self) -> list[Edit]:
        """The edits that travel next, as many as fit into one message; they count as sent."""
        size = number = 0
        for edit in self._unsent[:MOST_EDITS]:
            size += len(edit.text)
            if size > MOST_SENT:
                break
            number += 1
        if number == 0:
            first, number = self._unsent[0], 1
            rest = first.start + MOST_SENT
            parts = (Edit(first.start, first.end, first.text[:MOST_SENT]), Edit(rest, rest, first.text[MOST_SENT:]))
            self._unsent[:1] = parts
        self._in_flight = self._unsent[:number]
        del self._unsent[:number]
        return self._in_flight

    # -- what the daemon says ---------------------------------------------------------------------

    def opened(
        self, state: DocumentState, *, options: dict[str, Any] | None = None, same_records: bool = False
    ) -> None:
        """The daemon has opened or configured the document, by `options` (None: those of now).

        What it told of it meanwhile is taken in. Records of before stay, stale, until there is news of their place;
        with `same_records` under their ids.
        """
        self._explained_by = self.options if options is None else options
        self.opening, self.format, self._answered = state.opening, state.format, state.version
        self.num_records, self.num_explainable = state.num_records, state.num_explainable
        self.failed = self._settled = None
        for record in self._ordered:
            record.is_outdated, record.is_predicted = True, False
            if not same_records:
                record.id = next(self._ghost_ids)
        if not same_records:
            self._ghosts = {record.id for record in self._ordered}
        self._records = {record.id: record for record in self._ordered}
        early, self._early = self._early, []
        for told in early:
            self.take(told)

    def refused(self, problem: SaliscopeError) -> None:
        """The daemon does not want it so; what was on its way is not made."""
        self.problem = problem
        self._in_flight = []

    def changed(self, answer: DocumentChanged) -> list[int]:
        """The daemon has made the edits in flight: what became of the records."""
        self._answered, self._in_flight = answer.version, []
        self.num_records = answer.num_records
        # What was computed in vain is tried again with another text.
        self.failed = None if answer.num_computing else self.failed
        for id in answer.removed:
            self._drop(id)
        outdated = [id for id in answer.changed if id in self._records and self._records[id].version < answer.version]
        for id in outdated:
            self._records[id].outdate()
            self._ordered.touch(self._records[id])
        # Of what reads the same, its place or label may not: there will be news of that.
        touched = [id for id in answer.touched if id in self._records and self._records[id].heard < answer.version]
        for id in touched:
            self._records[id].awaited = answer.version
            self._ordered.touch(self._records[id])
        moved = [(self._records[id], start) for id, start in answer.moved if id in self._records]
        for record, start in moved:
            if not record.is_outdated:
                self._place(record, partial(record.only_moved, start), self._unsent)
        return [*answer.removed, *outdated, *touched, *(record.id for record, _ in moved)]

    def take(self, told: Told) -> list[int] | None:
        """Take a notification in; one about an opening that has not been answered yet waits for the answer."""
        if self.opening is None or told.opening > self.opening:
            self._early.append(told)
            return []
        if told.opening < self.opening:
            return []
        # It speaks of the version that was answered last, or already of the one in flight.
        behind = [*(self._in_flight if told.version == self._answered else ()), *self._unsent]
        match told:
            case RecordAttribution():
                record = self._known(told.record)
                before = record.places
                self._place(record, partial(record.explain, told), behind)
                if told.explanation is None:
                    # Nothing new was told of these, and the edits behind have moved them already.
                    record.keep_spans(before)
                return [told.record]
            case DocumentFindings():
                return [self._find(row, told.version, behind) for row in told.records]
            case DocumentSettled():
                self._settled = told.version
                return [self._drop(id) for id in list(self._ghosts)]
        # One that ends says so too, and its successor is asked again.
        self.failed = told if told.code != "shutting_down" else None
        return None

    def _find(self, row: RecordFindings, version: int, behind: Sequence[Edit]) -> int:
        record = self._known(row.record)
        before, explained, is_touched = record.places, record.explanation, record.is_touched
        self._place(record, partial(record.find, row, version), behind)
        if record.explanation is not None and record.explanation is explained:
            record.keep_spans(before)
            # Until the edit is answered, nobody has said whether the model still reads the same.
            record.is_touched |= is_touched and version != self._answered
        return row.record

    def _known(self, id: int) -> LiveRecord:
        """The record with an id; a new one is not among the ordered yet."""
        return self._records.get(id) or LiveRecord(id, 0, Places(0))

    def _place(self, record: LiveRecord, tell: Callable[[], None], behind: Sequence[Edit]) -> None:
        """Tell a record something, in positions that the edits `behind` have changed since."""
        if record.id in self._records:
            self._ordered.remove(record)
        tell()
        for edit in behind:
            record.edited(edit)
        self._records[record.id] = record
        self._ordered.add(record)
        if self._ghosts and record.id >= 0:
            self._displace_ghosts(record)

    def _displace_ghosts(self, record: LiveRecord) -> None:
        """Let go what a record of an earlier opening said of the same place."""
        at = self._ordered.place_of(record)
        near = chain(self._ordered[at + 1 : at + 9], self._ordered[max(at - 8, 0) : at])
        end = max(record.end, record.start + 1)
        for other in [one for one in near if one.id < 0 and one.start < end and record.start < one.end]:
            self._drop(other.id)

    def _drop(self, id: int) -> int:
        record = self._records.pop(id, None)
        self._ghosts.discard(id)
        if record is not None:
            self._ordered.remove(record)
        return id
