"""One open data set: its rows, what is known of them, and which of them the table shows; without widgets."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation
from saliscope.sources import Fields, Unreadable, record_of
from saliscope.sources.seeking import Seekable, open_seekable
from saliscope.tui.data.order import Wish, arranged
from saliscope.tui.data.scored import Look, look_of
from saliscope.tui.data.verdict import Known, Verdict, verdict_of

#: Rows whose text is kept, and rows whose colours are.
KEPT_RECORDS: Final = 1024
KEPT_LOOKS: Final = 512


class Record(NamedTuple):
    """What a row asks about: a text (and a pair), or the messages of a chat, with its label; or why it cannot."""

    text: str = ""
    pair: str | None = None
    messages: list[dict[str, str]] | None = None
    label: str | int | None = None
    problem: str = ""

    @property
    def shown(self) -> str:
        """All of it as one text."""
        if self.messages is not None:
            return "\n".join(f"{one.get('role', '')}: {one.get('content', '')}" for one in self.messages)
        return self.text if self.pair is None else f"{self.text}\n{self.pair}"


class DataSet:
    """The verbs of a table: rows are read when they are asked for, everything slow runs on the caller's thread."""

    def __init__(self, path: Path, fields: Fields) -> None:
        self.path, self.fields = path, fields
        self.file: Seekable = open_seekable(path)
        self.known = Known()
        self.wish = Wish()
        #: The rows that the table shows, in order.
        self.rows: Sequence[int] = range(0)
        self.cursor = 0
        #: What was typed to narrow the table down.
        self.line = ""
        self.stop = threading.Event()
        self._records: OrderedDict[int, Record] = OrderedDict()
        self._looks: OrderedDict[int, Look] = OrderedDict()
        self._refused: dict[int, str] = {}

    def close(self) -> None:
        """Let go of the file; what still runs ends soon."""
        self.stop.set()
        self.file.close()

    # -- rows -------------------------------------------------------------------------------------

    def find(self) -> None:
        """Find all rows; runs on a thread of its own."""
        self.file.find(self.stop)

    def grow(self) -> bool:
        """Show the rows that were found meanwhile; whether there are more than before."""
        if not self.wish.is_plain or len(self.rows) == len(self.file):
            return False
        self.rows = range(len(self.file))
        return True

    def record(self, row: int) -> Record:
        """A row as it is asked about; a file that has changed is a `problem` of each."""
        found = self._records.get(row)
        if found is not None:
            self._records.move_to_end(row)
            return found
        try:
            found = self._read(self.file.row(row), row)
        except SaliscopeError as error:
            return Record(problem=error.message)
        self._records[row] = found
        while len(self._records) > KEPT_RECORDS:
            self._records.popitem(last=False)
        return found

    def _read(self, raw: Any, row: int) -> Record:
        try:
            fields = record_of(raw, self.fields, f"row {row}")
        except SaliscopeError as error:
            return Record(problem=error.message.removeprefix("data: "))
        label = fields.get("label")
        messages = fields.get("messages")
        if messages is not None and not all(isinstance(one, dict) for one in messages):
            return Record(problem="its messages are no maps of role and content")
        label = label if isinstance(label, str | int) and not isinstance(label, bool) else None
        return Record(fields.get("text", ""), fields.get("pair"), messages, label)

    def texts(self) -> Iterator[tuple[str, str]]:
        """The text and the label of each row, from the beginning to the end; ends where the file has changed."""
        try:
            for row, raw in enumerate(self.file.rows()):
                found = Record() if isinstance(raw, Unreadable) else self._read(raw, row)
                yield found.shown, "" if found.label is None else str(found.label)
        except SaliscopeError:
            return

    def arrange(self, stop: threading.Event, on_progress: Any) -> Sequence[int]:
        """The rows as they are wished; runs on a thread of its own."""
        return arranged(self.wish, len(self.file), self.known.all(), self.texts, stop, on_progress)

    # -- what is known ----------------------------------------------------------------------------

    def explained(self, row: int, found: Explanation) -> None:
        """Know an explanation of a row."""
        self.known.put(row, verdict_of(found.prediction, self.record(row).label, found.truncated_at))
        self.look(row, look_of(found))

    def judged(self, row: int, verdict: Verdict, reason: str = "") -> None:
        """Know what the model says of a row, or the reason why it says nothing."""
        self.known.put(row, verdict)
        if reason:
            self._refused[row] = reason

    def refused(self, row: int, reason: str) -> None:
        """Know why a row has no scores."""
        self._refused[row] = reason

    def why_not(self, row: int) -> str:
        """Why a row has no scores; empty where nothing speaks against it."""
        return self._refused.get(row) or self.record(row).problem

    def look(self, row: int, look: Look) -> None:
        """Keep the colours of a row."""
        self._looks[row] = look
        self._looks.move_to_end(row)
        while len(self._looks) > KEPT_LOOKS:
            self._looks.popitem(last=False)

    def look_at(self, row: int) -> Look | None:
        """The colours of a row, if they are known."""
        return self._looks.get(row)

    def forget(self, *, verdicts: bool) -> None:
        """The rows are explained otherwise now; `verdicts`: the model is another one, too."""
        self._looks.clear()
        self._refused.clear()
        if verdicts:
            self.known.clear()

    def changed(self, row: int) -> None:
        """One row has another text now."""
        self._records.pop(row, None)
        self._looks.pop(row, None)
        self._refused.pop(row, None)
        self.known.forget(row)

    def reopen(self) -> None:
        """Begin anew with the file as it is now; `bad_request` if it cannot be read any more."""
        self.stop.set()
        file = open_seekable(self.path)
        self.file.close()
        self.file, self.stop = file, threading.Event()
        self._records.clear()
        self.forget(verdicts=True)
        self.wish, self.rows, self.line = Wish(), range(0), ""

    @property
    def summary(self) -> str:
        """How many rows there are and are known, and how many of them disagree with their label."""
        total, known = len(self.file), self.known
        more = "" if self.file.is_complete else f" so far ({self.file.share_found():.0%} of the file)"
        parts = [f"{total:,} rows{more}"]
        if not self.wish.is_plain and len(self.rows) != total:
            parts.insert(0, f"{len(self.rows):,} of")
            parts = [" ".join(parts)]
        share = f" ({len(known) / total:.1%})" if total and 0 < len(known) < total else ""
        parts.append(f"{len(known):,} known{share}")
        if known.num_labelled:
            parts.append(f"{known.num_wrong:,} of {known.num_labelled:,} disagree with their label")
        return " · ".join(parts)
