"""What rows and passes need of a network: the surface that a transformer and a module of one's own have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.heads import Head
from saliscope.explainers.models.taps import Anatomy
from saliscope.explainers.targets.scalar import Kind
from saliscope.explainers.variants import Layer


class Surface(Protocol):
    """Word embeddings in, outputs and gradients out.

    What a network has not (layers, causal reading, places for tokens) it refuses as `NotCapable`; its capabilities say
    so beforehand.
    """

    @property
    def model(self) -> Any:
        """The module itself."""

    @property
    def embedding(self) -> nn.Module:
        """The module that looks up word embeddings."""

    @property
    def num_embeddings(self) -> int:
        """How many ids have an embedding."""

    @property
    def causal(self) -> bool:
        """Whether no position looks ahead, so that outputs are read along the text."""

    @property
    def own_kind(self) -> Kind:
        """What its own head answers."""

    @property
    def heads(self) -> Mapping[Kind, Head | nn.Module]:
        """What a causal network's states are read with."""

    @property
    def anatomy(self) -> Anatomy | None:
        """Where the blocks are, if they can be tapped."""

    @property
    def device(self) -> torch.device:
        """Where the embeddings live."""

    @property
    def pad_id(self) -> int:
        """The id that pads, or `NotCapable`."""

    @property
    def num_types(self) -> int:
        """How many token types it tells apart; 0 where it takes none."""

    @property
    def window(self) -> int | None:
        """How far the most short-sighted layer looks, in tokens."""

    @property
    def first_place(self) -> int | None:
        """The position id of the first token; None where tokens cannot be left out."""

    @property
    def end_ids(self) -> frozenset[int]:
        """The ids that its configuration says end a text."""

    def embed(self, ids: Tensor) -> Tensor:
        """Word embeddings `[..., K]` of ids, a tensor of its own."""

    def mean_embedding(self) -> Tensor:
        """The mean row of the embedding matrix, `[K]`."""

    def hidden(self, embeds: Tensor, mask: Tensor, places: Tensor | None = None, types: Tensor | None = None) -> Tensor:
        """The last hidden state `[B, T, K]` of a causal network."""

    def pooled(self, embeds: Tensor, mask: Tensor, places: Tensor | None = None, types: Tensor | None = None) -> Tensor:
        """Class logits `[B, C]` of a network that is not causal, float32."""

    def probe_batch(self) -> Batch:
        """Short rows of ordinary ids, to find out by running them what the network can do."""

    def swapping(self, batch: Batch) -> AbstractContextManager[None]:
        """Forwards inside have the batch's layers swapped."""

    def layer_states(self, embeds: Tensor, mask: Tensor, layer: Layer, types: Tensor | None = None) -> Tensor:
        """The states of one layer, `[B, T, K]`."""

    def reader(self, kind: Kind, groups: tuple[tuple[int, ...], ...] = ()) -> Callable[[Batch], Tensor]:
        """What makes the outputs `[B, C]` of a batch, or the `groups` of them."""

    def read_tail(self, state: Tensor, reads: Tensor) -> Tensor:
        """Next-token logits `[B, m, V]` of states `[B, T, K]` of a causal network at positions `[B, m]`."""

    def gradients(
        self, read: Callable[[Batch], Tensor], batch: Batch, layers: Sequence[Layer], scalar: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, dict[Layer, Tensor], dict[Layer, Tensor]]:
        """Outputs as `read` makes them, values `[B]`, and activations and gradients by layer."""
