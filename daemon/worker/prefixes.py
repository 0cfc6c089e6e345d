"""What was computed of texts that are being written, kept so that the next version is computed from its edit on.

A line is found by what it holds: the ids that it and a new text begin with. So whoever asks, in whatever order, nothing
is to be told to it and nothing is to be kept in step.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Final
from weakref import WeakKeyDictionary

from saliscope.explainers.answers import Answer
from saliscope.explainers.models.continuing import can_continue
from saliscope.explainers.models.lines import Line, capacity
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Evaluate, ModelQuery
from saliscope.explainers.texts.encoding import IntArray
from saliscope.protocol.sizes import parse_size
from saliscope.protocol.startup import DEFAULT_PREFIX_CACHE

#: Shorter texts cost less in a micro-batch with others than alone with what is kept.
LEAST_TOKENS: Final = 64
#: Lines are found by so many ids at their beginning: fewer in common are no help.
LEAST_COMMON: Final = 32
#: What is typed over at the end of a text is not worth a copy of what is before it.
MOST_LOST: Final = 16


@dataclass(slots=True)
class Reuse:
    """What came of it since the start: rows that went on from a line, and tokens that were not computed again."""

    prefix_hits: int = 0
    prefix_misses: int = 0
    prefix_tokens_saved: int = 0


@dataclass(slots=True, eq=False)
class Held:
    """A line, when it was used last, and the bytes that it then held."""

    line: Line
    used: int
    num_bytes: int = 0


class Prefixes:
    """The lines of all models of a worker, at most `limit` bytes; those not used for longest go first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.done = Reuse()
        #: By model, and by the ids that they begin with.
        self._lines: WeakKeyDictionary[TextModel, dict[bytes, list[Held]]] = WeakKeyDictionary()
        self._clock = 0

    @classmethod
    def of_environment(cls) -> Prefixes:
        """With the limit that the worker was started with."""
        return cls(parse_size(os.environ.get("SALISCOPE_PREFIX_CACHE") or DEFAULT_PREFIX_CACHE))

    @property
    def num_bytes(self) -> int:
        """What all lines hold."""
        return sum(held.num_bytes for held in self._all())

    def told(self) -> dict[str, int]:
        """Lines and bytes, and the limit of these, for `status`."""
        return {"lines": len(self._all()), "bytes": self.num_bytes, "limit": self.limit}

    def counters(self) -> dict[str, int]:
        """What was counted, for `status`."""
        return asdict(self.done)

    def takes(self, model: TextModel, query: ModelQuery) -> bool:
        """Whether a query is one that a line may serve, and a line of it would fit."""
        if model.continuable is None or not can_continue(query) or not query.encoding.tokens:
            return False
        length = len(query.encoding)
        return LEAST_TOKENS <= length <= model.continuable.longest and _size(model, length) <= self.limit

    def num_new(self, model: TextModel, ids: IntArray) -> int:
        """How many of these ids would be computed now, at least 1."""
        near = self._nearest(model, ids)
        return max(1, len(ids) - (near.line.common(ids) if near else 0))

    def compute(self, model: TextModel, query: Evaluate) -> Answer:
        """The answer to a query that it `takes`; the line of its text is kept."""
        ids = query.encoding.ids
        self._clock += 1
        held = self._held(model, ids)
        common = held.line.common(ids)
        answer = model.continued(query, held.line)
        self.done.prefix_hits += common > 0
        self.done.prefix_misses += common == 0
        self.done.prefix_tokens_saved += common
        held.used, held.num_bytes = self._clock, held.line.num_bytes
        # What was read along the line takes room too.
        self._make_room(0, held)
        if self.num_bytes > self.limit:
            self._let_go(held)
        return answer

    def drop(self, model: TextModel) -> None:
        """Let the lines of a model go."""
        self._lines.pop(model, None)

    def clear(self) -> int:
        """Let all lines go; the bytes that they held."""
        freed = self.num_bytes
        self._lines.clear()
        return freed

    # -- inside -----------------------------------------------------------------------------------

    def _held(self, model: TextModel, ids: IntArray) -> Held:
        """The line that is to hold these ids: one that begins alike, or a copy of that beginning, or an empty one."""
        near, size = self._nearest(model, ids), _size(model, len(ids))
        if near is None:
            self._make_room(size)
            return self._keep(model, ids, model.new_line())
        common = near.line.common(ids)
        is_lost = common < len(ids) and len(near.line) - common > MOST_LOST
        if is_lost and near.num_bytes + size <= self.limit:
            self._make_room(size, near)
            return self._keep(model, ids, near.line.branched(common, len(ids)))
        self._make_room(max(0, size - near.num_bytes), near)
        return near

    def _keep(self, model: TextModel, ids: IntArray, line: Line) -> Held:
        held = Held(line, self._clock)
        self._lines.setdefault(model, {}).setdefault(_beginning(ids), []).append(held)
        return held

    def _nearest(self, model: TextModel, ids: IntArray) -> Held | None:
        """The line with the most ids in common, of equal ones that used last; None where none has enough."""
        alike = self._lines.get(model, {}).get(_beginning(ids), [])
        return max(alike, key=lambda held: (held.line.common(ids), held.used), default=None)

    def _make_room(self, size: int, spared: Held | None = None) -> None:
        """Let lines go, those not used for longest first, until there is room for `size` more bytes."""
        too_much = self.num_bytes + size - self.limit
        for held in sorted(self._all(), key=lambda held: held.used):
            if too_much <= 0:
                return
            if held is not spared:
                too_much -= held.num_bytes
                self._let_go(held)

    def _let_go(self, held: Held) -> None:
        for alike in self._lines.values():
            for beginning, lines in list(alike.items()):
                if held in lines:
                    lines.remove(held)
                if not lines:
                    del alike[beginning]

    def _all(self) -> list[Held]:
        return [held for alike in self._lines.values() for lines in alike.values() for held in lines]


def _beginning(ids: IntArray) -> bytes:
    return ids[:LEAST_COMMON].tobytes()


def _size(model: TextModel, length: int) -> int:
    """Bytes of a line of so many ids, before anything is read along it."""
    assert model.continuable is not None
    return capacity(length) * model.continuable.token_bytes
