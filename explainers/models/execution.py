"""Pieces of queries, of one or of many requests, computed in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch

from saliscope.explainers.answers import Answer, Attended
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.models.attending import Pooling, attend, find_pooling
from saliscope.explainers.models.backward import Backward, Decoders, transformer_of
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.forward import Forward
from saliscope.explainers.models.packing import of_kind
from saliscope.explainers.models.reading import array, scalars_of
from saliscope.explainers.models.rows import materialise
from saliscope.explainers.models.states import LayerStates
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.queries import Attend, Evaluate, Piece


class Executor:
    """Computes pieces that share a batch key (`packing.batch_key`) on one network."""

    def __init__(self, network: Surface, facts: ModelFacts) -> None:
        self.network, self.facts = network, facts
        self.forward, self._backward = Forward(network, facts), Backward(network, facts)
        self._states = LayerStates(network, facts.mask_id)

    def compute(self, pieces: Sequence[Piece], decoders: Decoders) -> list[Answer]:
        """One answer a piece, in order; `decoders` holds the heads that the pieces' decodings name."""
        if isinstance(pieces[0].query, Evaluate):
            with torch.inference_mode():
                return self.forward.answers(pieces, self._materialised(pieces))
        with torch.no_grad():
            batch = self._materialised(pieces)
            if isinstance(pieces[0].query, Attend):
                return self._attend(pieces, batch)
        return self._backward.answers(pieces, batch, decoders)

    def _materialised(self, pieces: Sequence[Piece]) -> Batch:
        return materialise(pieces, self.network, self.facts.mask_id, self._states)

    @cached_property
    def _pooling(self) -> Pooling:
        return find_pooling(transformer_of(self.network))

    def _attend(self, pieces: Sequence[Piece], batch: Batch) -> list[Answer]:
        queries = [of_kind(piece, Attend) for piece in pieces]
        chosen, scalars = scalars_of([query.scalar for query in queries], self.facts)
        first = queries[0]
        read = self.network.reader(first.scalar.kind, first.scalar.groups)
        seen = attend(transformer_of(self.network), batch, read, first.form, self._pooling, scalars)
        answers: list[Answer] = []
        for row, query in enumerate(queries):
            own = slice(0, len(query.encoding))
            reduced = seen.reduced[row]
            weights = reduced[:, own, own] if query.form == "maps" else reduced[own]
            answers.append(
                Attended(
                    outputs=array(seen.outputs[row]),
                    index=chosen[row],
                    value=float(seen.values[row]),
                    pooled=array(seen.pooled[row, own]),
                    weights=array(weights),
                )
            )
        return answers
