"""Records that go and come in one change of a document, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from saliscope.daemon.front.documents.identity import Duplicates, align
from saliscope.daemon.front.documents.record import Record
from saliscope.daemon.front.documents.runs import moved
from saliscope.daemon.front.documents.tape import Entry, Piece
from saliscope.protocol.edits import Edit


@dataclass(frozen=True, slots=True)
class Changes:
    """Ids of records after a change; a record in none of the lists only moved with the text, if at all."""

    version: int
    changed: tuple[int, ...] = ()
    """What a model sees of it is another: to be computed."""
    touched: tuple[int, ...] = ()
    """A model sees the same: its spans, its label or its findings are to be sent again."""
    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    moved: tuple[tuple[int, int], ...] = ()
    """Ids of records in no other list that do not stand where the edits move them, and where they start."""


class Swap:
    """Records that go and come in one change, and what became of each."""

    def __init__(self, entries: dict[int, Entry], duplicates: Duplicates, ids: Iterator[int]) -> None:
        self._entries = entries
        self._duplicates = duplicates
        self._ids = ids
        self._before: dict[int, Record | None] = {}
        self._was_duplicate: dict[int, bool] = {}
        self._strayed: set[int] = set()

    def detach(self, pieces: Sequence[Piece]) -> None:
        """Take the records of old pieces out."""
        for entry in _entries_of(pieces):
            record = entry.record
            if record.explained:
                self._was_duplicate.setdefault(entry.id, self._duplicates.has(record.key))
                self._flipped(self._duplicates.remove(record.key, entry.id), True)
            self._before.setdefault(entry.id, record)
            del self._entries[entry.id]

    def attach(self, old: Sequence[Piece], new: Sequence[Piece]) -> None:
        """Put the records of new pieces in, under the ids of those of the old ones that go on in them."""
        went, came = _entries_of(old), _entries_of(new)
        same = align([entry.record.key for entry in went], [entry.record.key for entry in came])
        for entry, number in zip(came, same, strict=True):
            entry.id = next(self._ids) if number is None else went[number].id
            self._before.setdefault(entry.id, None)
            self._entries[entry.id] = entry
            if entry.record.explained:
                self._was_duplicate.setdefault(entry.id, False)
                self._flipped(self._duplicates.add(entry.record.key, entry.id), False)

    def watch(self, edits: Sequence[Edit], start: int, old: Sequence[Piece], new: Sequence[Piece]) -> None:
        """Find out which records of new pieces, attached from `start` on, do not stand where the edits move the old."""
        before = {id: moved(edits, at, at + record.length) for id, at, record in _placed(old, start)}
        for id, at, _ in _placed(new, start):
            found = before.get(id)
            if found is None or found[0] != at:
                self._strayed.add(id)

    def changes(self, version: int, start_of: Callable[[int], int]) -> Changes:
        """What became of every record that was taken out or put in; `start_of` tells where one stands."""
        kinds: dict[str, list[int]] = {"changed": [], "touched": [], "added": [], "removed": []}
        for id in {**self._before, **self._was_duplicate}:
            kind = self._fate(id)
            if kind is not None:
                kinds[kind].append(id)
        told = {id for ids in kinds.values() for id in ids}
        moved = tuple((id, start_of(id)) for id in sorted(self._strayed - told) if id in self._entries)
        return Changes(version, moved=moved, **{kind: tuple(ids) for kind, ids in kinds.items()})

    def _fate(self, id: int) -> str | None:
        now = self._entries[id].record if id in self._entries else None
        before = self._before.get(id, now)
        if before is None or now is None:
            return None if before is now else "added" if before is None else "removed"
        if before.key != now.key:
            return "changed"
        is_duplicate = now.explained and self._duplicates.has(now.key)
        return "touched" if before != now or is_duplicate != self._was_duplicate.get(id, False) else None

    def _flipped(self, id: int | None, was: bool) -> None:
        if id is not None:
            self._was_duplicate.setdefault(id, was)


def _placed(pieces: Sequence[Piece], start: int) -> Iterator[tuple[int, int, Record]]:
    """Id, start and record of each entry."""
    for piece in pieces:
        for entry in piece.entries:
            yield entry.id, start + entry.offset, entry.record
        start += piece.length


def _entries_of(pieces: Sequence[Piece]) -> list[Entry]:
    return [entry for piece in pieces for entry in piece.entries]
