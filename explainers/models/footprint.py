"""What one row takes while it is computed, measured on short rows and carried on to long ones."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.network import Network
from saliscope.explainers.queries import Attend, Differentiate, ModelQuery
from saliscope.explainers.variants import INPUT

LENGTHS = (8, 24)
FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes that a row of T tokens takes: `token` T + `square` T², forward, and forward with its gradient.

    A watched attention keeps `maps` maps of T x T numbers besides.
    """

    forward: tuple[float, float]
    gradient: tuple[float, float]
    maps: int = 0

    def row(self, query: ModelQuery) -> int:
        """Bytes that one row of a query takes."""
        length = len(query.encoding)
        token, square = self.gradient if isinstance(query, Differentiate | Attend) else self.forward
        maps = self.maps * FLOAT_BYTES * length**2 if isinstance(query, Attend) else 0
        return int(token * length + square * length**2) + maps


def measure(network: Network, max_tokens: int) -> Footprint:
    """Run two short rows forward and back, and watch the most that is held at a time."""
    lengths = sorted({min(length, max_tokens) for length in LENGTHS})
    heads = int(getattr(network.model.config, "num_attention_heads", 0) or 0)
    forward, gradient = (_fitted(lengths, [_held(network, length, back) for length in lengths]) for back in (0, 1))
    return Footprint(forward, gradient, network.num_layers * heads)


def _fitted(lengths: list[int], held: list[int]) -> tuple[float, float]:
    """`token` and `square` through two measurements; what does not grow faster than the length has no square."""
    if len(lengths) < 2:
        return held[0] / lengths[0], 0.0
    (short, long), (few, many) = lengths, held
    square = max(0.0, (many / long - few / short) / (long - short))
    return max(0.0, many / long - square * long), square


def _held(network: Network, length: int, back: int) -> int:
    ids = network.probe_batch().ids[0].repeat(-(-length // 6))[:length][None]
    ends = torch.tensor([length - 1], device=ids.device)
    batch = Batch(ids, torch.ones_like(ids), None, network.embed(ids).detach(), ends, {})
    read = network.reader(network.own_kind)
    with _watching(network.device) as most:
        if back:
            network.gradients(read, batch, (INPUT,), lambda outputs: outputs.sum(-1))
        else:
            with torch.no_grad():
                read(batch)
    return int(most())


@contextmanager
def _watching(device: torch.device) -> Iterator[Any]:
    """Gives the most bytes that were held at a time beyond those at the beginning."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield lambda: max(0, torch.cuda.max_memory_allocated(device) - before)
        return
    watch = _Watch()
    with watch:
        yield lambda: watch.most


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the storages that operations make, as long as they live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._alive: dict[int, int] = {}
        self.held = self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count what it has made."""
        given = {_key(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)}
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor) and (key := _key(leaf)) not in given and key not in self._alive:
                storage = leaf.untyped_storage()
                self._alive[key] = storage.nbytes()
                self.held += storage.nbytes()
                weakref.finalize(storage, self._gone, key)
        self.most = max(self.most, self.held)
        return made

    def _gone(self, key: int) -> None:
        self.held -= self._alive.pop(key, 0)


def _key(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
