"""Backward passes: gradients of one micro-batch at some layers, reduced before they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from saliscope.explainers.answers import Answer, Decoded, Differentiated, Reduction
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.heads import EmbeddingHead, Head, read_layer
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.nudging import embedded
from saliscope.explainers.models.packing import of_kind
from saliscope.explainers.models.reading import array, scalars_of
from saliscope.explainers.models.references import reference
from saliscope.explainers.models.relevance import find_activations, obeying
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.queries import Decoding, Differentiate, Piece
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.variants import INPUT, Layer

Decoders = Mapping[Decoding, Head | EmbeddingHead]


class Backward:
    """Answers pieces of `Differentiate` queries about one network."""

    def __init__(self, network: Surface, facts: ModelFacts) -> None:
        self.network, self.facts = network, facts

    def answers(self, pieces: Sequence[Piece], batch: Batch, decoders: Decoders) -> list[Answer]:
        """One answer a piece, in order; `decoders` holds the heads that the pieces' decodings name."""
        queries = [of_kind(piece, Differentiate) for piece in pieces]
        layers: tuple[Layer, ...] = tuple(sorted({layer for query in queries for layer in query.layers}))
        owners = [query for piece, query in zip(pieces, queries, strict=True) for _ in range(piece.start, piece.stop)]
        chosen, scalars = scalars_of([query.scalar for query in owners], self.facts)
        rule, first = queries[0].rule, queries[0].scalar
        read = transformer_of(self.network).tail_logits if first.tail else self.network.reader(first.kind, first.groups)
        if rule not in (None, "deep-lift"):
            # Elsewhere a rule might reach nothing, and what came out be a plain gradient.
            transformer_of(self.network)
        activations = self._activations if rule in ("attn-lrp", "deep-lift") else ()
        with obeying(rule, activations, len(batch.embeds)):
            outputs, values, states, grads = self.network.gradients(read, batch, layers, scalars)
        if first.tail:
            outputs = outputs[:, 0]
        answers: list[Answer] = []
        at = 0
        for piece, query in zip(pieces, queries, strict=True):
            rows, length = slice(at, at + piece.stop - piece.start), len(query.encoding)
            own_states = {layer: states[layer][rows, :length] for layer in query.layers}
            own_grads = {layer: grads[layer][rows, :length] for layer in query.layers}
            answers.append(
                Differentiated(
                    outputs=array(outputs[at]),
                    index=chosen[at],
                    values=array(values[rows]),
                    products=self._reduce(query, own_states, own_grads, batch),
                    decoded=self._decode(query, {layer: state[0] for layer, state in own_states.items()}, decoders),
                )
            )
            at = rows.stop
        return answers

    def _reduce(
        self, query: Differentiate, states: dict[Layer, Tensor], grads: dict[Layer, Tensor], batch: Batch
    ) -> dict[tuple[Layer, Reduction], FloatArray]:
        products: dict[tuple[Layer, Reduction], FloatArray] = {}
        for layer in query.layers:
            gradient, state = grads[layer].float(), states[layer].float()
            for kind in query.reductions:
                against = self._displacement(query, layer, state, batch) if kind == "displacement" else state
                products[layer, kind] = array(_reduction(kind, gradient, against))
        return products

    def _displacement(self, query: Differentiate, layer: Layer, state: Tensor, batch: Batch) -> Tensor:
        """How far the text is from its reference at a layer, `[T, K]`, or `[B, T, K]` for the pairs in `state`."""
        if query.rule == "deep-lift":
            return (state[::2] - state[1::2]).repeat_interleave(2, 0)
        if layer != INPUT:
            return batch.displacements[layer].float()
        base = embedded(query.encoding, self.network)
        return (base - reference(query.rows, base, self.network, self.facts.mask_id, query.reference)).float()

    @cached_property
    def _activations(self) -> tuple[nn.Module, ...]:
        return find_activations(self.network)

    def _decode(self, query: Differentiate, states: dict[Layer, Tensor], decoders: Decoders) -> dict[Layer, Decoded]:
        if query.decoding is None:
            return {}
        head, anatomy = decoders[query.decoding], self.network.anatomy
        assert anatomy is not None
        unique = np.unique(query.encoding.ids)
        device = self.network.device
        ids, columns = torch.from_numpy(query.encoding.ids).to(device), torch.from_numpy(unique).to(device)
        ordinary = ~query.encoding.special
        decoded = {}
        for layer, state in states.items():
            with torch.inference_mode():
                read = read_layer(head, anatomy.read_out(state), ids, columns)
            rate = float(array(read.own)[ordinary].mean()) if ordinary.any() else 0.0
            decoded[layer] = Decoded(unique, array(read.share), rate, head.source)
        return decoded


def _reduction(kind: Reduction, gradient: Tensor, state: Tensor) -> Tensor:
    """One number a position, `[B, T]`, of gradients `[B, T, K]` and the states they are held against."""
    if kind == "sum":
        return gradient.sum(-1)
    if kind == "l1":
        return gradient.abs().sum(-1)
    if kind in ("l2", "l2-activation"):
        vectors = gradient if kind == "l2" else gradient * state
        return vectors.square().sum(-1).sqrt()
    return (gradient * state).sum(-1)


def transformer_of(network: Surface) -> Network:
    """The network as one whose attention and rules can be reached; `NotCapable` if it is none."""
    if not isinstance(network, Network):
        raise NotCapable("only transformers have attention and rules; use a method that needs neither")
    return network
