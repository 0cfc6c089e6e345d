"""Forward passes: what queries read of the outputs of one micro-batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.models import sharing
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.heads import POSITIONS_PER_CHUNK
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.nudging import embedded
from saliscope.explainers.models.packing import of_kind
from saliscope.explainers.models.reading import array, numbers
from saliscope.explainers.models.references import reference
from saliscope.explainers.models.rows import deviation, draw
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.queries import Along, Evaluate, Moment, Piece, Read, Value
from saliscope.explainers.targets.scales import grouped, resolved, tail_value, valued
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.variants import Moved


class Forward:
    """Answers pieces of `Evaluate` queries about one network."""

    def __init__(self, network: Surface, facts: ModelFacts) -> None:
        self.network, self.facts = network, facts
        self.shares = 0
        """Rows of at most so many tokens may share what they begin with."""

    def answers(self, pieces: Sequence[Piece], batch: Batch) -> list[Answer]:
        """One answer a piece, in order."""
        with self.network.swapping(batch):
            states = self._states_of(batch)
        answers: list[Answer] = []
        for piece, rows, part in _parts(pieces, states):
            if batch.reads is not None:
                answers.append(self._read_tail(piece, rows, batch.reads[part]))
            elif self.network.causal:
                answers.append(self._read_causal(piece, rows, batch.ends[part]))
            else:
                answers.append(self._read_pooled(piece, rows))
        return answers

    def _states_of(self, batch: Batch) -> Tensor:
        """The last states `[B, T, K]` of a causal network's rows, the class logits `[B, C]` of others'."""
        network = self.network
        if not network.causal:
            return network.pooled(batch.embeds, batch.mask, batch.places, batch.types)
        if isinstance(network, Network) and batch.mask.shape[1] <= self.shares and not batch.swaps:
            return sharing.hidden(network, batch)
        return network.hidden(batch.embeds, batch.mask, batch.places)

    def _read_pooled(self, piece: Piece, logits: Tensor) -> Evaluated:
        query = of_kind(piece, Evaluate)
        if isinstance(query.read, Along):
            raise TypeError("a bidirectional model has no intermediate predictions")
        return Evaluated(self._pooled_numbers(piece, logits), array(logits[0]) if query.outputs else None)

    def _read_causal(self, piece: Piece, state: Tensor, ends: Tensor) -> Evaluated:
        query = of_kind(piece, Evaluate)
        read, head = query.read, self.network.heads[query.read.kind]
        is_open = isinstance(read, Along) and read.scalar.is_open
        pooled: Tensor | None = None
        if query.outputs or is_open or not isinstance(read, Along):
            pooled = head(state[torch.arange(len(state), device=state.device), ends]).float()
            pooled = grouped(pooled, read.groups, torch)
        outputs = array(pooled[0]) if query.outputs and pooled is not None else None
        if not isinstance(read, Along):
            assert pooled is not None
            return Evaluated(self._pooled_numbers(piece, pooled), outputs)
        if is_open:
            assert pooled is not None
            read = Along(read.positions, resolved(read.scalar, pooled[0]))
        picked = state[:, list(read.positions)]
        parts = [
            self._read(grouped(head(picked[:, at : at + POSITIONS_PER_CHUNK]).float(), read.groups, torch), read)
            for at in range(0, picked.shape[1], POSITIONS_PER_CHUNK)
        ]
        return Evaluated(np.concatenate(parts, axis=1), outputs)

    def _read_tail(self, piece: Piece, state: Tensor, reads: Tensor) -> Evaluated:
        """Row by row in chunks: the logits of a tail are the largest tensors of all."""
        query = of_kind(piece, Evaluate)
        assert isinstance(query.read, Value | Moment)
        step = max(1, POSITIONS_PER_CHUNK // reads.shape[1])
        values, outputs = [], None
        for at in range(0, len(state), step):
            logits = self.network.read_tail(state[at : at + step], reads[at : at + step])
            values.append(tail_value(logits, query.read.scalar))
            if at == 0 and query.outputs:
                outputs = array(logits[0, 0])
        whole = torch.cat(values)
        numbers = array(whole) if isinstance(query.read, Value) else self._moment(piece, query.read, whole)
        return Evaluated(numbers, outputs)

    def _pooled_numbers(self, piece: Piece, logits: Tensor) -> FloatArray:
        read = of_kind(piece, Evaluate).read
        if not isinstance(read, Moment):
            return self._read(logits, read)
        return self._moment(piece, read, valued(logits, read.scalar, self.facts.activation_of(read.kind), torch))

    def _read(self, logits: Tensor, read: Read) -> FloatArray:
        return numbers(logits, read, self.facts.activation_of(read.kind))

    def _moment(self, piece: Piece, read: Moment, values: Tensor) -> FloatArray:
        rows = piece.query.rows
        assert isinstance(rows, Moved)
        base = embedded(piece.query.encoding, self.network)
        away_from = reference(rows, base, self.network, self.facts.mask_id)
        assert rows.noise is not None
        noise = draw(rows.noise, rows.groups, base, piece.start, piece.stop)
        variance = deviation(rows.noise, rows.groups, base) ** 2
        moment = torch.einsum("b,btk->tk", values - read.about, noise.float()) / variance
        return array(torch.stack([moment, (base - away_from).float()]))


def _parts(pieces: Sequence[Piece], states: Tensor) -> Iterator[tuple[Piece, Tensor, slice]]:
    at = 0
    for piece in pieces:
        part = slice(at, at + piece.stop - piece.start)
        yield piece, states[part], part
        at = part.stop
