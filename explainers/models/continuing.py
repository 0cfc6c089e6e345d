"""Rows that begin as an earlier one did: only what is behind their common prefix is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache

from saliscope.explainers.answers import Evaluated
from saliscope.explainers.errors import first_line
from saliscope.explainers.models.heads import Head
from saliscope.explainers.models.lines import TOLERANCE, Line
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.reading import array, numbers
from saliscope.explainers.models.wide import WideHead, has_columns
from saliscope.explainers.queries import Along, Evaluate, ModelQuery, Value
from saliscope.explainers.targets.scales import Activation, grouped, resolved, tail_value
from saliscope.explainers.texts.encoding import IntArray

NUM_TOKENS: Final = 24
#: Kinds of layers whose keys and values stay what they are, whatever follows.
LASTING: Final = frozenset({"full_attention", "sliding_attention"})
#: Rotations that depend on how long the whole text is.
STRETCHED: Final = frozenset({"dynamic", "longrope"})


@dataclass(frozen=True, slots=True)
class Continuable:
    """What continuing a model's rows takes: up to `longest` positions, each of so many bytes.

    `has_columns`: its language-model head can be read in single columns.
    """

    longest: int
    token_bytes: int
    has_columns: bool = False


def can_continue(query: ModelQuery) -> bool:
    """Whether a query is one plain row, read with a head: the text itself, as it is."""
    return isinstance(query, Evaluate) and query.rows is None and query.encoding.nudge is None


def run_behind(network: Network, ids: IntArray, cache: Cache) -> Tensor:
    """The last states `[n, K]` of ids behind those whose keys and values the cache holds; it then holds theirs too."""
    embeds = network.embed(torch.from_numpy(ids)[None].to(network.device))
    # Without a mask there is less to be built; with a cache nothing else is read into its absence.
    states: Tensor = network.body(inputs_embeds=embeds, attention_mask=None, past_key_values=cache, use_cache=True)[0]
    return states[0]


@torch.inference_mode()
def continued(query: Evaluate, line: Line, network: Network, activation: Activation, found: Continuable) -> Evaluated:
    """The answer to a query that `can_continue`, from a line that afterwards holds its row."""
    line.extend(query.encoding.ids, lambda ids, cache: run_behind(network, ids, cache))
    read, end = query.read, len(query.encoding) - query.encoding.tail - 1
    head = network.heads[read.kind]
    if query.encoding.tail:
        assert isinstance(read, Value)
        logits = head(line.states(range(end, end + query.encoding.tail))).float()
        return Evaluated(array(tail_value(logits[None], read.scalar)), array(logits[0]) if query.outputs else None)
    along = read.positions if isinstance(read, Along) else ()
    wide = WideHead(head, found.has_columns) if read.kind == "next-token" and isinstance(head, Head) else None
    if wide is not None and not read.groups:
        last = wide.outputs(line, end)
        pooled = array(last) if query.outputs else None
        if not isinstance(read, Along):
            return Evaluated(numbers(last[None], read, activation), pooled)
        return Evaluated(array(wide.values(line, along, resolved(read.scalar, last)))[None], pooled)

    def outputs(states: Tensor) -> Tensor:
        if wide is not None:
            return wide.grouped(states, read.groups)
        logits: Tensor = grouped(head(states).float(), read.groups, torch)
        return logits

    every = line.read(("outputs", read.kind, read.groups), (*along, end), outputs)
    last = every[-1:]
    pooled = array(last[0]) if query.outputs else None
    if not isinstance(read, Along):
        return Evaluated(numbers(last, read, activation), pooled)
    scalar = resolved(read.scalar, last[0]) if read.scalar.is_open else read.scalar
    return Evaluated(numbers(every[:-1], Along(along, scalar), activation)[None], pooled)


def find_continuable(network: Network, max_tokens: int) -> Continuable | str:
    """How rows of a causal network can be continued, or why they cannot: found out by continuing a short one.

    What a short run does not show is read in the configuration: windows, kinds of layers, stretched positions.
    """
    config = network.model.config
    kinds = set(getattr(config, "layer_types", None) or ()) - LASTING
    if kinds:
        return f"layers of kind {', '.join(sorted(kinds))} keep no keys and values of every token"
    rope = getattr(config, "rope_parameters", None) or {}
    stretched = STRETCHED & {str(value) for value in _values(rope)}
    if stretched:
        return f"its positions ({', '.join(sorted(stretched))}) depend on the length of the text"
    limits = [max_tokens, network.window, getattr(config, "attention_chunk_size", None)]
    longest = min(limit for limit in limits if isinstance(limit, int))
    if next(iter(network.model.parameters())).dtype != torch.float32:
        return "its weights are no float32, whose rounding alone moves outputs by more than 1e-5"
    length = min(NUM_TOKENS, longest)
    if length < NUM_TOKENS // 4:
        return f"it looks only {longest} tokens far"
    try:
        return _tried(network, length, longest)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # a body may trip over a cache that is not its own in any way
        return f"its rows cannot be continued ({type(error).__name__}: {first_line(error)})"


def _tried(network: Network, length: int, longest: int) -> Continuable | str:
    """One letter typed, then many, an edit in the middle, and a copy that goes its own way, held against fresh runs."""
    six = network.probe_batch().ids[0].cpu().numpy()
    steps = np.arange(length)
    ids = six[(steps * 5 + steps // 6) % 6]
    edited, middle = ids.copy(), length // 2
    edited[middle] = six[(int(np.flatnonzero(six == ids[middle])[0]) + 1) % 6]
    fresh, other = _fresh(network, ids), _fresh(network, edited)
    line = Line(network.num_layers)

    def gap(line: Line, row: IntArray, wanted: Tensor) -> float:
        line.extend(row, lambda new, cache: run_behind(network, new, cache))
        away = (line.states(range(len(row))) - wanted[: len(row)]).abs().max()
        return float(away / wanted.abs().max().clamp(min=1.0))

    gaps = [gap(line, row, fresh) for row in (ids[: length // 3], ids[: length // 3 + 1], ids)]
    gaps += [gap(line.branched(middle), edited, other), gap(line, edited, other), gap(line, ids, fresh)]
    worst = max(gaps) if all(map(math.isfinite, gaps)) else math.inf
    if worst > TOLERANCE:
        return f"its keys and values cannot be continued: outputs move by {worst:.2g}, at most {TOLERANCE:.2g}"
    return Continuable(longest, -(-line.num_bytes // line.room), has_columns(network.heads.get("next-token"), fresh))


@torch.inference_mode()
def _fresh(network: Network, ids: IntArray) -> Tensor:
    row = torch.from_numpy(ids)[None].to(network.device)
    return network.hidden(network.embed(row), torch.ones_like(row))[0]


def _values(rope: object) -> list[object]:
    """All that a description of rotations says, one for all layers or one for each kind of them."""
    if not isinstance(rope, dict):
        return []
    return [leaf for value in rope.values() for leaf in (_values(value) if isinstance(value, dict) else [value])]
