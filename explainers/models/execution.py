"""Rows to tensors and back: computes pieces of queries, of one or of many requests, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from saliscope.explainers.answers import Answer, Attended, Decoded, Differentiated, Evaluated, Reduction
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.models import sharing
from saliscope.explainers.models.attending import Pooling, attend, find_pooling
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.heads import POSITIONS_PER_CHUNK, EmbeddingHead, Head, read_layer
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.nudging import embedded
from saliscope.explainers.models.reading import array, numbers
from saliscope.explainers.models.references import reference
from saliscope.explainers.models.relevance import find_activations, obeying
from saliscope.explainers.models.rows import deviation, draw, materialise
from saliscope.explainers.models.states import LayerStates
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.queries import (
    Along,
    Attend,
    Decoding,
    Differentiate,
    Evaluate,
    ModelQuery,
    Moment,
    Piece,
    Read,
    Value,
    rows_together,
)
from saliscope.explainers.targets.scalar import Kind, Scalar
from saliscope.explainers.targets.scales import Activation, grouped, resolved, tail_value, valued
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.variants import INPUT, Layer, Masked, Moved

BatchKey = tuple[object, ...]
Decoders = Mapping[Decoding, Head | EmbeddingHead]


def batch_key(query: ModelQuery) -> BatchKey:
    """Queries with the same key may share a pass: the kind of pass, the head they read, how rows are hidden."""
    if isinstance(query, Attend):
        return "attend", query.scalar.kind, query.form, query.scalar.groups
    tail = query.read.scalar.tail if isinstance(query, Evaluate) and isinstance(query.read, Value | Moment) else ()
    drops = query.rows.hiding if isinstance(query.rows, Masked) else "replace"
    swaps = isinstance(query.rows, Moved) and query.rows.layer != INPUT
    # Pairs of rows must stay side by side, which modules that group rows by length do for one text only.
    pairs = isinstance(query, Differentiate) and query.rule == "deep-lift"
    apart = id(query) if swaps or pairs else None
    if isinstance(query, Evaluate):
        return "evaluate", query.read.kind, drops, apart, len(tail)
    return "differentiate", query.scalar.kind, drops, apart, query.rule, query.scalar.tail, query.scalar.groups


def cut(query: ModelQuery, budget: int) -> list[Piece]:
    """A query in pieces of like size, of at most `budget` tokens but at least one row each, or one pair."""
    apart = rows_together(query)
    units, most = query.num_rows // apart, max(1, budget // max(1, apart * len(query.encoding)))
    # Even pieces: the rows of a small last one would cost more each.
    rows = apart * max(1, -(-units // max(1, -(-units // most))))
    return [Piece(query, at, min(at + rows, query.num_rows)) for at in range(0, query.num_rows, rows)]


class Executor:
    """Computes pieces that share a batch key on one network."""

    def __init__(self, network: Surface, facts: ModelFacts) -> None:
        self.network, self.facts = network, facts
        self.shares = 0
        """Rows of at most so many tokens may share what they begin with."""
        self._states = LayerStates(network, facts.mask_id)

    def compute(self, pieces: Sequence[Piece], decoders: Decoders) -> list[Answer]:
        """One answer a piece, in order; `decoders` holds the heads that the pieces' decodings name."""
        if isinstance(pieces[0].query, Evaluate):
            with torch.inference_mode():
                return self._evaluate(pieces, materialise(pieces, self.network, self.facts.mask_id, self._states))
        with torch.no_grad():
            batch = materialise(pieces, self.network, self.facts.mask_id, self._states)
            if isinstance(pieces[0].query, Attend):
                return self._attend(pieces, batch)
        return self._differentiate(pieces, batch, decoders)

    def _transformer(self) -> Network:
        """The network as one whose attention and rules can be reached."""
        if not isinstance(self.network, Network):
            raise NotCapable("only transformers have attention and rules; use a method that needs neither")
        return self.network

    # -- forward ----------------------------------------------------------------------------------

    def _evaluate(self, pieces: Sequence[Piece], batch: Batch) -> list[Answer]:
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
        query = _evaluate_of(piece)
        if isinstance(query.read, Along):
            raise TypeError("a bidirectional model has no intermediate predictions")
        return Evaluated(self._pooled_numbers(piece, logits), array(logits[0]) if query.outputs else None)

    def _read_causal(self, piece: Piece, state: Tensor, ends: Tensor) -> Evaluated:
        query = _evaluate_of(piece)
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
            self._numbers(grouped(head(picked[:, at : at + POSITIONS_PER_CHUNK]).float(), read.groups, torch), read)
            for at in range(0, picked.shape[1], POSITIONS_PER_CHUNK)
        ]
        return Evaluated(np.concatenate(parts, axis=1), outputs)

    def _read_tail(self, piece: Piece, state: Tensor, reads: Tensor) -> Evaluated:
        """Row by row in chunks: the logits of a tail are the largest tensors of all."""
        query = _evaluate_of(piece)
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
        read = _evaluate_of(piece).read
        if not isinstance(read, Moment):
            return self._numbers(logits, read)
        return self._moment(piece, read, valued(logits, read.scalar, self.activation(read.kind), torch))

    def _numbers(self, logits: Tensor, read: Read) -> FloatArray:
        return numbers(logits, read, self.activation(read.kind))

    def activation(self, kind: Kind) -> Activation:
        """What makes probabilities of a head's outputs."""
        return self.facts.activation if kind == "class" else "softmax"

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

    # -- gradients --------------------------------------------------------------------------------

    def _differentiate(self, pieces: Sequence[Piece], batch: Batch, decoders: Decoders) -> list[Answer]:
        queries = [_differentiate_of(piece) for piece in pieces]
        layers: tuple[Layer, ...] = tuple(sorted({layer for query in queries for layer in query.layers}))
        owners = [query for piece, query in zip(pieces, queries, strict=True) for _ in range(piece.start, piece.stop)]
        chosen, scalars = self._scalars([query.scalar for query in owners])
        rule, first = queries[0].rule, queries[0].scalar
        read = self._transformer().tail_logits if first.tail else self.network.reader(first.kind, first.groups)
        if rule not in (None, "deep-lift"):
            # Elsewhere a rule might reach nothing, and what came out be a plain gradient.
            self._transformer()
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

    def _scalars(self, wanted: Sequence[Scalar]) -> tuple[list[int], Callable[[Tensor], Tensor]]:
        """A function from outputs to the wanted values `[B]`, and the outputs' indices that it chose."""
        chosen: list[int] = []

        def scalars(outputs: Tensor) -> Tensor:
            found = [resolved(scalar, row) for scalar, row in zip(wanted, outputs, strict=True)]
            chosen.extend(scalar.index or 0 for scalar in found)
            return torch.stack([self._scalar(scalar, row) for scalar, row in zip(found, outputs, strict=True)])

        return chosen, scalars

    @cached_property
    def _activations(self) -> tuple[nn.Module, ...]:
        return find_activations(self.network)

    def _scalar(self, scalar: Scalar, outputs: Tensor) -> Tensor:
        if scalar.tail:
            return tail_value(outputs, scalar)
        value: Tensor = valued(outputs, scalar, self.activation(scalar.kind), torch)
        return value

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

    # -- attention --------------------------------------------------------------------------------

    @cached_property
    def _pooling(self) -> Pooling:
        return find_pooling(self._transformer())

    def _attend(self, pieces: Sequence[Piece], batch: Batch) -> list[Answer]:
        queries = [_attend_of(piece) for piece in pieces]
        chosen, scalars = self._scalars([query.scalar for query in queries])
        first = queries[0]
        read = self.network.reader(first.scalar.kind, first.scalar.groups)
        seen = attend(self._transformer(), batch, read, first.form, self._pooling, scalars)
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


def _parts(pieces: Sequence[Piece], states: Tensor) -> Iterator[tuple[Piece, Tensor, slice]]:
    at = 0
    for piece in pieces:
        part = slice(at, at + piece.stop - piece.start)
        yield piece, states[part], part
        at = part.stop


def _evaluate_of(piece: Piece) -> Evaluate:
    if not isinstance(piece.query, Evaluate):
        raise TypeError("pieces of different kinds cannot share a pass")
    return piece.query


def _differentiate_of(piece: Piece) -> Differentiate:
    if not isinstance(piece.query, Differentiate):
        raise TypeError("pieces of different kinds cannot share a pass")
    return piece.query


def _attend_of(piece: Piece) -> Attend:
    if not isinstance(piece.query, Attend):
        raise TypeError("pieces of different kinds cannot share a pass")
    return piece.query
