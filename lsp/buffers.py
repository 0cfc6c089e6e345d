"""One open document of the editor: its text and version, how it is explained, and what is known of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec import UNSET, Raw
from pygls.uris import to_fs_path

from saliscope.lsp.positions import Lines
from saliscope.lsp.settings import Settings
from saliscope.lsp.tokens import Encoder
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.live import LiveDocument, LiveRecord, Order

#: Formats that hold all kinds of things; the others hold texts.
_GENERAL: Final = ("json", "yaml")


class Made(NamedTuple):
    """The diagnostics of a record that stood at a line and column, in JSON."""

    place: tuple[int, int]
    diagnostics: list[Raw]


class Given(NamedTuple):
    """All diagnostics of a document in JSON, and the name under which a client can ask for other ones."""

    name: str
    diagnostics: list[Raw]


@dataclass(eq=False)
class Buffer:
    """`live` is None while it is not explained; `limit` says why it never is."""

    uri: str
    version: int
    language: str
    lines: Lines
    settings: Settings = field(default_factory=Settings)
    live: LiveDocument | None = None
    limit: str | None = None
    commanded: dict[str, Any] = field(default_factory=dict)
    encoder: Encoder = field(default_factory=Encoder)
    made: dict[int, Made] = field(default_factory=dict)
    """The diagnostics of records that have some, as they were made last."""
    given: Given | None = None
    """The diagnostics that the client was given last."""
    edited_s: float = 0.0
    """When it was edited last, by the clock of the loop."""
    caret: int | None = None
    """The code point where the reader was last."""
    compared: dict[str, dict[str, Explanation]] = field(default_factory=dict)
    """What other methods said of a text: text -> method -> explanation."""
    ignored: set[tuple[str, str]] = field(default_factory=set)
    """Findings that nobody wants to see again: code and text of the record."""

    @property
    def path(self) -> Path | None:
        """Where it lies on disk; None for a buffer without a file."""
        try:
            found = to_fs_path(self.uri) if self.uri.startswith("file:") else None
        except ValueError:
            # Not every client writes addresses as they should be.
            return None
        return None if found is None else Path(found)

    @property
    def text(self) -> str:
        """The text as the editor has it."""
        return self.lines.text

    @property
    def records(self) -> Order:
        """The records that are known, in order of place."""
        return Order() if self.live is None else self.live.records

    def record(self, id: int) -> LiveRecord | None:
        """The record with an id."""
        return None if self.live is None else self.live.record(id)

    def record_at(self, offset: int) -> LiveRecord | None:
        """The record at a code point."""
        return None if self.live is None else self.live.record_at(offset)

    @property
    def is_alien(self) -> bool:
        """Whether nothing in it is a text, as in most files of settings: it is left alone, unless a field is named."""
        if self.live is None or self.live.format not in _GENERAL or self.settings.field is not UNSET:
            return False
        records = self.live.records
        return bool(records) and all(any(one.kind == "no-text" for one in record.findings) for record in records)

    def is_coming(self, ids: Iterable[int] | None) -> bool:
        """Whether more is about to be known of these records: the editor moves what it shows of them meanwhile.

        Taking it away for a moment would flicker, and take longer than what is new.
        """
        if ids is None or self.settings.when != "onType":
            return False
        records = (self.record(id) for id in ids)
        return any(record is not None and record.stale for record in records)

    def source_of(self, record: LiveRecord) -> str:
        """The text of a record as it stands in the document."""
        return self.text[record.start : record.end]

    def others(self, record: LiveRecord) -> dict[str, Explanation]:
        """What other methods said of the text that the record has now, when they were asked the same."""
        mine = record.explanation
        if mine is None or record.stale:
            return {}
        found = self.compared.get(mine.text, {})
        return {name: other for name, other in found.items() if _question(other) == _question(mine)}


def _question(explanation: Explanation) -> tuple[object, ...]:
    """Model and target, and what the features are: scores with another of these cannot stand side by side."""
    target = explanation.target
    return explanation.model, target.kind, target.label, target.against, explanation.granularity
