"""Lines: what was computed of one row of ids, kept at every position, so that a row that begins alike goes on there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from saliscope.explainers.models.heads import POSITIONS_PER_CHUNK
from saliscope.explainers.texts.encoding import IntArray

#: How far outputs may be from those of a fresh run, relative to the largest.
TOLERANCE: Final = 1e-5
#: Buffers grow by so many positions, and have at least so many free when they are made.
STEP: Final = 64
#: How many kinds of outputs are kept along a line, those read last.
MOST_READ: Final = 8


def capacity(length: int) -> int:
    """For how many positions a buffer is made that is to hold `length` of them."""
    return (length // STEP + 2) * STEP


class Tape:
    """A tensor `[..., T, D]` with room behind its positions, so that those before are not copied when some come."""

    def __init__(self) -> None:
        self._buffer: Tensor | None = None

    @property
    def num_bytes(self) -> int:
        """What it holds, with the room."""
        return 0 if self._buffer is None else self._buffer.untyped_storage().nbytes()

    @property
    def room(self) -> int:
        """How many positions its buffer has."""
        return 0 if self._buffer is None else self._buffer.shape[-2]

    def write(self, start: int, rows: Tensor) -> Tensor:
        """Put `rows [..., n, D]` at positions `start` and following; everything up to their end, as a view."""
        stop = start + rows.shape[-2]
        buffer = self.reserved(stop, rows)
        buffer[..., start:stop, :] = rows
        return buffer[..., :stop, :]

    def until(self, stop: int) -> Tensor:
        """Positions before `stop`, as a view."""
        assert self._buffer is not None
        return self._buffer[..., :stop, :]

    def reserved(self, stop: int, like: Tensor) -> Tensor:
        """The whole buffer, with room for `stop` positions of rows as `like [..., n, D]`."""
        old = self._buffer
        if old is None or stop > old.shape[-2]:
            self._buffer = like.new_empty((*like.shape[:-2], capacity(stop), like.shape[-1]))
            if old is not None:
                self._buffer[..., : old.shape[-2], :] = old
        assert self._buffer is not None
        return self._buffer

    def copied(self, stop: int, room: int) -> Tape:
        """Another one with the same positions before `stop`, made for `room` of them."""
        other = Tape()
        if self._buffer is not None:
            other.reserved(max(stop, room), self._buffer)
            other.write(0, self._buffer[..., :stop, :])
        return other


class KeysAndValues(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values of one layer, as transformers asks for them."""

    is_sliding = False

    def __init__(self) -> None:
        super().__init__()
        self.is_initialized = True
        self.tapes = Tape(), Tape()
        self.length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing is to be prepared."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Keys and values `[1, H, T, D]` of all positions, with the new ones `[1, H, n, D]` behind the old."""
        start = self.length
        self.length += key_states.shape[-2]
        keys, values = self.tapes
        return keys.write(start, key_states), values.write(start, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """How many positions the new ones look at, and the first of them."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """How many positions there are."""
        return self.length

    def get_max_length(self) -> int:
        """There is no end."""
        return -1

    def branched(self, length: int, room: int) -> KeysAndValues:
        """Another one with the same first `length` positions, made for `room` of them."""
        other = KeysAndValues()
        keys, values = self.tapes
        other.tapes, other.length = (keys.copied(length, room), values.copied(length, room)), length
        return other


class Readings:
    """One kind of outputs, `[D]` at the positions where it was read so far."""

    def __init__(self) -> None:
        self.tape = Tape()
        self.known = np.zeros(0, dtype=np.bool_)

    def at(self, positions: IntArray, compute: Callable[[IntArray], Tensor]) -> Tensor:
        """The outputs `[P, D]`; `compute` has those `[n, D]` of positions that are not known."""
        stop = int(positions.max()) + 1
        if stop > len(self.known):
            self.known = np.pad(self.known, (0, stop - len(self.known)))
        missing = np.unique(positions[~self.known[positions]])
        for at in range(0, len(missing), POSITIONS_PER_CHUNK):
            chunk = missing[at : at + POSITIONS_PER_CHUNK]
            rows = compute(chunk)
            self.tape.reserved(stop, rows)[torch.from_numpy(chunk).to(rows.device)] = rows
        self.known[missing] = True
        found = self.tape.until(stop)
        return found[torch.from_numpy(positions).to(found.device)]


class Line:
    """One row of `ids`: keys and values of every layer, last states, and what was read of them, at every position."""

    def __init__(self, num_layers: int) -> None:
        self.ids: IntArray = np.zeros(0, dtype=np.int64)
        self.layers = [KeysAndValues() for _ in range(num_layers)]
        self._states = Tape()
        self._readings: OrderedDict[Hashable, Readings] = OrderedDict()
        #: What was read at one position only: how, where, and the outputs.
        self._once: tuple[Hashable, int, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def num_bytes(self) -> int:
        """What it holds in memory."""
        tapes = [tape for layer in self.layers for tape in layer.tapes]
        tapes += [readings.tape for readings in self._readings.values()]
        once = 0 if self._once is None else self._once[2].nbytes
        return once + self._states.num_bytes + sum(tape.num_bytes for tape in tapes)

    def common(self, ids: IntArray) -> int:
        """How many ids from the first on are the same."""
        length = min(len(self.ids), len(ids))
        differs = self.ids[:length] != ids[:length]
        return int(differs.argmax()) if differs.any() else length

    def cut(self, length: int) -> None:
        """Forget all positions from `length` on."""
        self.ids = self.ids[:length]
        for layer in self.layers:
            layer.length = length
        for readings in self._readings.values():
            readings.known = readings.known[:length]
        if self._once is not None and self._once[1] >= length:
            self._once = None

    @property
    def room(self) -> int:
        """For how many positions it has buffers."""
        return self._states.room

    @torch.inference_mode()
    def branched(self, length: int, room: int = 0) -> Line:
        """Another line with the same first `length` positions, in memory of its own that is made for `room` of them."""
        other = Line(0)
        other.ids = self.ids[:length]
        other.layers = [layer.branched(length, room) for layer in self.layers]
        other._states = self._states.copied(length, room)
        for key, readings in self._readings.items():
            copied = other._readings[key] = Readings()
            copied.known, copied.tape = readings.known[:length].copy(), readings.tape.copied(length, room)
        return other

    @torch.inference_mode()
    def extend(self, ids: IntArray, run: Callable[[IntArray, Cache], Tensor]) -> None:
        """Have it hold `ids`; `run` gives the states `[n, K]` of ids behind those whose keys and values a cache holds.

        Where it holds them already and more, it keeps the rest. If `run` fails, it holds what it held before, less
        what differs.
        """
        common = self.common(ids)
        if common == len(ids):
            return
        self.cut(common)
        states = run(ids[common:], Cache(layers=list(self.layers)))
        self._states.write(common, states)
        self.ids = ids.copy()

    def states(self, positions: Sequence[int] | IntArray) -> Tensor:
        """The last states `[P, K]` at positions."""
        found = self._states.until(len(self))
        return found[torch.as_tensor(np.asarray(positions), device=found.device)]

    @torch.inference_mode()
    def read(self, key: Hashable, positions: Sequence[int], compute: Callable[[Tensor], Tensor]) -> Tensor:
        """Outputs `[P, D]` at positions, as `compute` makes them `[n, D]` of states `[n, K]`, kept under `key`."""
        readings = self._readings.setdefault(key, Readings())
        self._readings.move_to_end(key)
        while len(self._readings) > MOST_READ:
            self._readings.popitem(last=False)
        return readings.at(np.asarray(positions, dtype=np.int64), lambda chunk: compute(self.states(chunk)))

    @torch.inference_mode()
    def read_once(self, key: Hashable, position: int, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """Outputs `[D]` at one position; only the last ones are kept, for outputs too wide to be kept everywhere."""
        if self._once is None or self._once[:2] != (key, position):
            self._once = key, position, compute(self.states([position]))[0].clone()
        return self._once[2]
