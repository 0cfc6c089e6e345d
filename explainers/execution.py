"""Rows to tensors and back: computes pieces of queries, of one or of many requests, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saliscope.explainers.encoding import FloatArray
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.heads import POSITIONS_PER_CHUNK, EmbeddingHead, Head, read_layer
from saliscope.explainers.network import Network
from saliscope.explainers.queries import (
    Along,
    Answer,
    Decoded,
    Decoding,
    Differentiate,
    Differentiated,
    Evaluate,
    Evaluated,
    Layer,
    Outputs,
    Piece,
    Query,
    Read,
)
from saliscope.explainers.scales import scaled, scaled_every
from saliscope.explainers.targets import Scalar

BatchKey = tuple[str, str]


def batch_key(query: Query) -> BatchKey:
    """Queries with the same key may share a pass: forward or gradient, and the head they read."""
    if isinstance(query, Evaluate):
        return "evaluate", query.read.kind
    return "differentiate", query.scalar.kind


def cut(query: Query, budget: int) -> list[Piece]:
    """A query in pieces of at most `budget` tokens, at least one row each."""
    rows = max(1, budget // max(1, len(query.encoding)))
    return [Piece(query, at, min(at + rows, query.num_rows)) for at in range(0, query.num_rows, rows)]


class Executor:
    """Computes pieces that share a batch key on one network."""

    def __init__(self, network: Network, facts: ModelFacts) -> None:
        self.network, self.facts = network, facts

    def compute(self, pieces: Sequence[Piece], decoders: dict[Decoding, Head | EmbeddingHead]) -> list[Answer]:
        """One answer a piece, in order; `decoders` holds the heads that the pieces' decodings name."""
        ids, mask = self._materialise(pieces)
        if isinstance(pieces[0].query, Evaluate):
            with torch.inference_mode():
                return self._evaluate(pieces, ids, mask)
        return self._differentiate(pieces, ids, mask, decoders)

    def _materialise(self, pieces: Sequence[Piece]) -> tuple[Tensor, Tensor]:
        """Ids and attention mask `[B, T]` of all rows, padded on the right (with a real id: it is masked out)."""
        blocks = [_rows(piece, self.facts.mask_id) for piece in pieces]
        total, width = sum(len(block) for block in blocks), max(block.shape[1] for block in blocks)
        ids = np.full((total, width), self.facts.mask_id, dtype=np.int64)
        mask = np.zeros((total, width), dtype=np.int64)
        at = 0
        for block in blocks:
            ids[at : at + len(block), : block.shape[1]] = block
            mask[at : at + len(block), : block.shape[1]] = 1
            at += len(block)
        device = self.network.device
        return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)

    # -- forward ----------------------------------------------------------------------------------

    def _evaluate(self, pieces: Sequence[Piece], ids: Tensor, mask: Tensor) -> list[Answer]:
        embeds = self.network.embed(ids)
        if not self.network.causal:
            logits = self.network.pooled(embeds, mask)
            return [self._read_pooled(piece, rows) for piece, rows in _parts(pieces, logits)]
        state = self.network.hidden(embeds, mask)
        return [self._read_causal(piece, rows) for piece, rows in _parts(pieces, state)]

    def _read_pooled(self, piece: Piece, logits: Tensor) -> Evaluated:
        query = _evaluate_of(piece)
        if isinstance(query.read, Along):
            raise TypeError("a bidirectional model has no intermediate predictions")
        return Evaluated(self._numbers(logits, query.read), _array(logits[0]) if query.outputs else None)

    def _read_causal(self, piece: Piece, state: Tensor) -> Evaluated:
        query = _evaluate_of(piece)
        read, head = query.read, self.network.heads[query.read.kind]
        likeliest = isinstance(read, Along) and read.kind == "next-token" and read.scalar.index is None
        pooled: Tensor | None = None
        if query.outputs or likeliest or not isinstance(read, Along):
            pooled = head(state[:, len(query.encoding) - 1]).float()
        outputs = _array(pooled[0]) if query.outputs and pooled is not None else None
        if not isinstance(read, Along):
            assert pooled is not None
            return Evaluated(self._numbers(pooled, read), outputs)
        if likeliest:
            assert pooled is not None
            read = Along(read.positions, read.scalar.at(int(pooled[0].argmax())))
        picked = state[:, list(read.positions)]
        parts = [
            self._numbers(head(picked[:, at : at + POSITIONS_PER_CHUNK]).float(), read)
            for at in range(0, picked.shape[1], POSITIONS_PER_CHUNK)
        ]
        return Evaluated(np.concatenate(parts, axis=1), outputs)

    def _numbers(self, logits: Tensor, read: Read) -> FloatArray:
        """What `read` wants of logits `[..., C]`."""
        if isinstance(read, Outputs):
            return _array(logits)
        activation = self.facts.activation if read.kind == "class" else "softmax"
        if isinstance(read, Along) and read.kind == "class":
            return _array(scaled_every(logits, read.scalar.scale, activation, torch))
        assert read.scalar.index is not None
        return _array(scaled(logits, read.scalar.index, read.scalar.scale, activation, torch))

    # -- gradients --------------------------------------------------------------------------------

    def _differentiate(
        self, pieces: Sequence[Piece], ids: Tensor, mask: Tensor, decoders: dict[Decoding, Head | EmbeddingHead]
    ) -> list[Answer]:
        queries = [_differentiate_of(piece) for piece in pieces]
        layers: tuple[Layer, ...] = tuple(sorted({layer for query in queries for layer in query.layers}))
        ends = torch.tensor([len(query.encoding) - 1 for query in queries], device=ids.device)
        chosen: list[int] = []

        def scalars(outputs: Tensor) -> Tensor:
            chosen.extend(_index(query.scalar, row) for query, row in zip(queries, outputs, strict=True))
            rows = [
                self._scalar(query.scalar, index, row)
                for query, index, row in zip(queries, chosen, outputs, strict=True)
            ]
            return torch.stack(rows)

        kind = queries[0].scalar.kind
        embeds = self.network.embed(ids)
        outputs, values, hidden, grads = self.network.gradients(kind, embeds, mask, ends, layers, scalars)
        products = {layer: (grads[layer].float() * hidden[layer].float()).sum(-1) for layer in layers}
        answers: list[Answer] = []
        for row, query in enumerate(queries):
            length = len(query.encoding)
            states = {layer: hidden[layer][row, :length] for layer in query.layers}
            answers.append(
                Differentiated(
                    outputs=_array(outputs[row]),
                    index=chosen[row],
                    value=float(values[row]),
                    inner={layer: _array(products[layer][row, :length]) for layer in query.layers},
                    decoded=self._decode(query, states, decoders),
                )
            )
        return answers

    def _scalar(self, scalar: Scalar, index: int, outputs: Tensor) -> Tensor:
        activation = self.facts.activation if scalar.kind == "class" else "softmax"
        value: Tensor = scaled(outputs, index, scalar.scale, activation, torch)
        return value

    def _decode(
        self, query: Differentiate, states: dict[Layer, Tensor], decoders: dict[Decoding, Head | EmbeddingHead]
    ) -> dict[Layer, Decoded]:
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


def _rows(piece: Piece, mask_id: int) -> Any:
    query = piece.query
    if isinstance(query, Evaluate) and query.rows is not None:
        return query.rows.ids(query.encoding, mask_id, piece.start, piece.stop)
    return query.encoding.ids[None, :]


def _parts(pieces: Sequence[Piece], tensor: Tensor) -> list[tuple[Piece, Tensor]]:
    sizes = [piece.stop - piece.start for piece in pieces]
    return list(zip(pieces, torch.split(tensor, sizes), strict=True))


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


def _array(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().to("cpu", torch.float32).numpy()
    return array
