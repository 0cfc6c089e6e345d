"""Rows to tensors and back: computes pieces of queries, of one or of many requests, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from saliscope.explainers.attending import Pooling, attend, find_pooling
from saliscope.explainers.batches import Batch
from saliscope.explainers.encoding import FloatArray
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.heads import POSITIONS_PER_CHUNK, EmbeddingHead, Head, read_layer
from saliscope.explainers.network import Network
from saliscope.explainers.queries import (
    INPUT,
    Along,
    Answer,
    Attend,
    Attended,
    Decoded,
    Decoding,
    Differentiate,
    Differentiated,
    Evaluate,
    Evaluated,
    Layer,
    Masked,
    ModelQuery,
    Moment,
    Moved,
    Outputs,
    Piece,
    Read,
    Reduction,
    rows_together,
)
from saliscope.explainers.relevance import find_activations, obeying
from saliscope.explainers.rows import deviation, draw, materialise, reference
from saliscope.explainers.scales import scaled, scaled_every
from saliscope.explainers.targets import Scalar

BatchKey = tuple[object, ...]
Decoders = Mapping[Decoding, Head | EmbeddingHead]


def batch_key(query: ModelQuery) -> BatchKey:
    """Queries with the same key may share a pass: the kind of pass, the head they read, how rows are hidden."""
    if isinstance(query, Attend):
        return "attend", query.scalar.kind, query.form
    drops = query.rows.hiding if isinstance(query.rows, Masked) else "replace"
    swaps = isinstance(query.rows, Moved) and query.rows.layer != INPUT
    apart = id(query) if swaps else None
    if isinstance(query, Evaluate):
        return "evaluate", query.read.kind, drops, apart
    return "differentiate", query.scalar.kind, drops, apart, query.rule


def cut(query: ModelQuery, budget: int) -> list[Piece]:
    """A query in pieces of like size, of at most `budget` tokens but at least one row each, or one pair."""
    apart = rows_together(query)
    units, most = query.num_rows // apart, max(1, budget // max(1, apart * len(query.encoding)))
    # Even pieces: the rows of a small last one would cost more each.
    rows = apart * max(1, -(-units // max(1, -(-units // most))))
    return [Piece(query, at, min(at + rows, query.num_rows)) for at in range(0, query.num_rows, rows)]


class Executor:
    """Computes pieces that share a batch key on one network."""

    def __init__(self, network: Network, facts: ModelFacts) -> None:
        self.network, self.facts = network, facts

    def compute(self, pieces: Sequence[Piece], decoders: Decoders) -> list[Answer]:
        """One answer a piece, in order; `decoders` holds the heads that the pieces' decodings name."""
        if isinstance(pieces[0].query, Evaluate):
            with torch.inference_mode():
                return self._evaluate(pieces, materialise(pieces, self.network, self.facts.mask_id))
        with torch.no_grad():
            batch = materialise(pieces, self.network, self.facts.mask_id)
            if isinstance(pieces[0].query, Attend):
                return self._attend(pieces, batch)
        return self._differentiate(pieces, batch, decoders)

    # -- forward ----------------------------------------------------------------------------------

    def _evaluate(self, pieces: Sequence[Piece], batch: Batch) -> list[Answer]:
        with self.network.swapping(batch):
            if not self.network.causal:
                states = self.network.pooled(batch.embeds, batch.mask, batch.places)
            else:
                states = self.network.hidden(batch.embeds, batch.mask, batch.places)
        answers: list[Answer] = []
        for piece, rows, ends in _parts(pieces, states, batch.ends):
            read = self._read_causal if self.network.causal else self._read_pooled
            answers.append(read(piece, rows, ends))
        return answers

    def _read_pooled(self, piece: Piece, logits: Tensor, ends: Tensor) -> Evaluated:
        query = _evaluate_of(piece)
        if isinstance(query.read, Along):
            raise TypeError("a bidirectional model has no intermediate predictions")
        return Evaluated(self._pooled_numbers(piece, logits), _array(logits[0]) if query.outputs else None)

    def _read_causal(self, piece: Piece, state: Tensor, ends: Tensor) -> Evaluated:
        query = _evaluate_of(piece)
        read, head = query.read, self.network.heads[query.read.kind]
        likeliest = isinstance(read, Along) and read.kind == "next-token" and read.scalar.index is None
        pooled: Tensor | None = None
        if query.outputs or likeliest or not isinstance(read, Along):
            pooled = head(state[torch.arange(len(state), device=state.device), ends]).float()
        outputs = _array(pooled[0]) if query.outputs and pooled is not None else None
        if not isinstance(read, Along):
            assert pooled is not None
            return Evaluated(self._pooled_numbers(piece, pooled), outputs)
        if likeliest:
            assert pooled is not None
            read = Along(read.positions, read.scalar.at(int(pooled[0].argmax())))
        picked = state[:, list(read.positions)]
        parts = [
            self._numbers(head(picked[:, at : at + POSITIONS_PER_CHUNK]).float(), read)
            for at in range(0, picked.shape[1], POSITIONS_PER_CHUNK)
        ]
        return Evaluated(np.concatenate(parts, axis=1), outputs)

    def _pooled_numbers(self, piece: Piece, logits: Tensor) -> FloatArray:
        read = _evaluate_of(piece).read
        return self._moment(piece, read, logits) if isinstance(read, Moment) else self._numbers(logits, read)

    def _numbers(self, logits: Tensor, read: Read) -> FloatArray:
        """What `read` wants of logits `[..., C]`."""
        if isinstance(read, Outputs):
            return _array(logits)
        activation = self.facts.activation if read.kind == "class" else "softmax"
        if isinstance(read, Along) and read.kind == "class":
            return _array(scaled_every(logits, read.scalar.scale, activation, torch))
        assert read.scalar.index is not None
        return _array(scaled(logits, read.scalar.index, read.scalar.scale, activation, torch))

    def _moment(self, piece: Piece, read: Moment, logits: Tensor) -> FloatArray:
        rows = piece.query.rows
        assert isinstance(rows, Moved)
        base = self.network.embed(torch.from_numpy(piece.query.encoding.ids).to(self.network.device))
        away_from = reference(rows, base, self.network, self.facts.mask_id)
        assert rows.noise is not None
        noise = draw(rows.noise, rows.groups, base, piece.start, piece.stop)
        variance = deviation(rows.noise, rows.groups, base) ** 2
        assert read.scalar.index is not None
        activation = self.facts.activation if read.kind == "class" else "softmax"
        values = scaled(logits, read.scalar.index, read.scalar.scale, activation, torch) - read.about
        moment = torch.einsum("b,btk->tk", values, noise.float()) / variance
        return _array(torch.stack([moment, (base - away_from).float()]))

    # -- gradients --------------------------------------------------------------------------------

    def _differentiate(self, pieces: Sequence[Piece], batch: Batch, decoders: Decoders) -> list[Answer]:
        queries = [_differentiate_of(piece) for piece in pieces]
        layers: tuple[Layer, ...] = tuple(sorted({layer for query in queries for layer in query.layers}))
        owners = [query for piece, query in zip(pieces, queries, strict=True) for _ in range(piece.start, piece.stop)]
        chosen, scalars = self._scalars([query.scalar for query in owners])
        rule = queries[0].rule
        activations = self._activations if rule in ("attn-lrp", "deep-lift") else ()
        with obeying(rule, activations, len(batch.embeds)):
            outputs, values, states, grads = self.network.gradients(queries[0].scalar.kind, batch, layers, scalars)
        answers: list[Answer] = []
        at = 0
        for piece, query in zip(pieces, queries, strict=True):
            rows, length = slice(at, at + piece.stop - piece.start), len(query.encoding)
            own_states = {layer: states[layer][rows, :length] for layer in query.layers}
            own_grads = {layer: grads[layer][rows, :length] for layer in query.layers}
            answers.append(
                Differentiated(
                    outputs=_array(outputs[at]),
                    index=chosen[at],
                    values=_array(values[rows]),
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
                products[layer, kind] = _array(_reduction(kind, gradient, against))
        return products

    def _displacement(self, query: Differentiate, layer: Layer, state: Tensor, batch: Batch) -> Tensor:
        """How far the text is from its reference at a layer, `[T, K]`, or `[B, T, K]` for the pairs in `state`."""
        if query.rule == "deep-lift":
            return (state[::2] - state[1::2]).repeat_interleave(2, 0)
        if layer != INPUT:
            return batch.displacements[layer].float()
        base = self.network.embed(torch.from_numpy(query.encoding.ids).to(self.network.device))
        return (base - reference(query.rows, base, self.network, self.facts.mask_id, query.reference)).float()

    def _scalars(self, wanted: Sequence[Scalar]) -> tuple[list[int], Callable[[Tensor], Tensor]]:
        """A function from outputs `[B, C]` to the wanted values `[B]`, and the outputs' indices that it chose."""
        chosen: list[int] = []

        def scalars(outputs: Tensor) -> Tensor:
            chosen.extend(_index(scalar, row) for scalar, row in zip(wanted, outputs, strict=True))
            rows = zip(wanted, chosen, outputs, strict=True)
            return torch.stack([self._scalar(scalar, index, row) for scalar, index, row in rows])

        return chosen, scalars

    @cached_property
    def _activations(self) -> tuple[nn.Module, ...]:
        return find_activations(self.network)

    def _scalar(self, scalar: Scalar, index: int, outputs: Tensor) -> Tensor:
        activation = self.facts.activation if scalar.kind == "class" else "softmax"
        value: Tensor = scaled(outputs, index, scalar.scale, activation, torch)
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
            rate = float(_array(read.own)[ordinary].mean()) if ordinary.any() else 0.0
            decoded[layer] = Decoded(unique, _array(read.share), rate, head.source)
        return decoded

    # -- attention --------------------------------------------------------------------------------

    @cached_property
    def _pooling(self) -> Pooling:
        return find_pooling(self.network)

    def _attend(self, pieces: Sequence[Piece], batch: Batch) -> list[Answer]:
        queries = [_attend_of(piece) for piece in pieces]
        chosen, scalars = self._scalars([query.scalar for query in queries])
        first = queries[0]
        seen = attend(self.network, batch, first.scalar.kind, first.form, self._pooling, scalars)
        answers: list[Answer] = []
        for row, query in enumerate(queries):
            own = slice(0, len(query.encoding))
            reduced = seen.reduced[row]
            weights = reduced[:, own, own] if query.form == "maps" else reduced[own]
            answers.append(
                Attended(
                    outputs=_array(seen.outputs[row]),
                    index=chosen[row],
                    value=float(seen.values[row]),
                    pooled=_array(seen.pooled[row, own]),
                    weights=_array(weights),
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


def _parts(pieces: Sequence[Piece], states: Tensor, ends: Tensor) -> list[tuple[Piece, Tensor, Tensor]]:
    sizes = [piece.stop - piece.start for piece in pieces]
    return list(zip(pieces, torch.split(states, sizes), torch.split(ends, sizes), strict=True))


def _index(scalar: Scalar, outputs: Tensor) -> int:
    return int(outputs.argmax()) if scalar.index is None else scalar.index


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


def _array(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().to("cpu", torch.float32).numpy()
    return array
