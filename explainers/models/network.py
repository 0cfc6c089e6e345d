"""A transformer behind one narrow door: embeddings in, outputs and gradients out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from saliscope.explainers.errors import NotCapable
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.heads import BothWays, Head, both_ways
from saliscope.explainers.models.labels import Labelling, read_labelling
from saliscope.explainers.models.probing import Probe
from saliscope.explainers.models.slopes import gradients_of
from saliscope.explainers.models.taps import Anatomy, dissect, tapped
from saliscope.explainers.targets.scalar import Kind
from saliscope.explainers.targets.scales import grouped
from saliscope.explainers.variants import INPUT, Layer

Reader = Callable[[Batch], Tensor]
"""Makes the outputs of a batch."""

NOT_ASKED = -1


class Network:
    """One loaded Hugging Face model, found out about by running it.

    A causal body is run alone and its heads at our own positions (a classifier given embeddings would pool at
    position -1); a bidirectional model is run whole. `attention_mask` is always given, rows are padded on the right.
    """

    def __init__(self, model: Any) -> None:
        self.model = model.eval().requires_grad_(False)
        self.body: nn.Module = model.base_model
        self.embedding: nn.Module = model.get_input_embeddings()
        self.heads: dict[Kind, Head | nn.Module] = {}
        self._mean: Tensor | None = None
        self._first_place: int | None = NOT_ASKED
        self._probe = Probe(model)
        self.causal = self._probe.is_causal()
        self.labelling: Labelling | None = None
        if type(model).__name__.endswith("ForSequenceClassification"):
            self.labelling = read_labelling(model.config)
        own_kind: Kind = "next-token" if self.labelling is None else "class"
        if self.causal:
            self.heads[own_kind] = self._score_module() if own_kind == "class" else Head(model, "own")
        self.own_kind = own_kind
        self.anatomy: Anatomy | None = dissect(self.body, self.num_layers, self._probe.state)
        self._probe.check(self.reader(own_kind))

    @property
    def device(self) -> torch.device:
        """Where the embeddings live."""
        return next(self.embedding.parameters()).device

    @property
    def num_layers(self) -> int:
        """How many blocks a forward goes through."""
        return int(self.model.config.num_hidden_layers)

    @property
    def embedding_size(self) -> int:
        """How wide a word embedding is."""
        return int(next(self.embedding.parameters()).shape[-1])

    @property
    def num_embeddings(self) -> int:
        """How many ids have an embedding."""
        return int(next(self.embedding.parameters()).shape[0])

    @property
    def num_types(self) -> int:
        """How many token types it tells apart; 0 where it takes none, as decoders do."""
        takes = not self.causal and "token_type_ids" in inspect.signature(self.model.forward).parameters
        return int(getattr(self.model.config, "type_vocab_size", 0) or 0) if takes else 0

    @property
    def pad_id(self) -> int:
        """The pad token's id; without one it is `NotCapable`."""
        pad_id = self.model.config.pad_token_id
        if pad_id is None:
            raise NotCapable("this model has no pad token; use reference=mask, mean or zero")
        return int(pad_id)

    @property
    def end_ids(self) -> frozenset[int]:
        """The ids that its configuration says end a text."""
        found = self.model.config.eos_token_id
        return frozenset(id for id in (found if isinstance(found, list | tuple) else [found]) if id is not None)

    def embed(self, ids: Tensor) -> Tensor:
        """Word-embedding rows `[B, T, K]` before positions and norms."""
        embedded: Tensor = self.embedding(ids)
        return embedded

    def mean_embedding(self) -> Tensor:
        """The mean row of the embedding matrix, `[K]`."""
        if self._mean is None:
            weight = next(self.embedding.parameters())
            self._mean = weight.detach().float().mean(0)
        return self._mean

    def hidden(self, embeds: Tensor, mask: Tensor, places: Tensor | None = None, types: Tensor | None = None) -> Tensor:
        """The last hidden state `[B, T, K]`; `places` are position ids where they do not simply count up, `types`
        token types where they are not all 0.
        """
        keywords: dict[str, Any] = {"use_cache": False} if self.causal else {}
        keywords |= _given(position_ids=places, token_type_ids=types)
        state: Tensor = self.body(inputs_embeds=embeds, attention_mask=mask, **keywords)[0]
        return state

    def pooled(self, embeds: Tensor, mask: Tensor, places: Tensor | None = None, types: Tensor | None = None) -> Tensor:
        """Class logits `[B, C]` of a bidirectional model, float32."""
        keywords = _given(position_ids=places, token_type_ids=types)
        logits: Tensor = self.model(inputs_embeds=embeds, attention_mask=mask, **keywords).logits
        return (both_ways(logits) if self.labelling and self.labelling.both_ways else logits).float()

    def outputs(self, kind: Kind, batch: Batch) -> Tensor:
        """Raw outputs `[B, C]` at the end of each row, float32."""
        if not self.causal:
            return self.pooled(batch.embeds, batch.mask, batch.places, batch.types)
        state = self.hidden(batch.embeds, batch.mask, batch.places)
        rows = torch.arange(len(state), device=state.device)
        return self.heads[kind](state[rows, batch.ends]).float()

    def reader(self, kind: Kind, groups: tuple[tuple[int, ...], ...] = ()) -> Reader:
        """What makes the outputs `[B, C]` of a batch, or the `groups` of them (see `targets.Scalar`)."""
        return lambda batch: grouped(self.outputs(kind, batch), groups, torch)

    @contextmanager
    def swapping(self, batch: Batch) -> Iterator[None]:
        """Forwards inside have the batch's layers swapped."""
        if not batch.swaps:
            yield
            return
        with tapped(self._need_anatomy(), (), None, batch.swaps):
            yield

    @torch.no_grad()
    def layer_states(self, embeds: Tensor, mask: Tensor, layer: Layer, types: Tensor | None = None) -> Tensor:
        """The states of one layer, `[B, T, K]`."""
        with tapped(self._need_anatomy(), (layer,), None) as found:
            self.hidden(embeds, mask, types=types)
        return found[layer]

    def tail_logits(self, batch: Batch) -> Tensor:
        """Logits `[B, m, V]` at the positions that predict the tokens of the rows' tail, float32."""
        assert batch.reads is not None
        return self.read_tail(self.hidden(batch.embeds, batch.mask, batch.places), batch.reads)

    def read_tail(self, state: Tensor, reads: Tensor) -> Tensor:
        """Next-token logits `[B, m, V]` of states `[B, T, K]` at positions `[B, m]`, float32."""
        rows = torch.arange(len(state), device=state.device)[:, None]
        return self.heads["next-token"](state[rows, reads]).float()

    def gradients(
        self, read: Reader, batch: Batch, layers: Sequence[Layer], scalar: Any
    ) -> tuple[Tensor, Tensor, dict[Layer, Tensor], dict[Layer, Tensor]]:
        """One forward and one backward: outputs, values `[B]`, activations and gradients by layer.

        `read` makes the outputs, `scalar` maps them to values. No graph is built below the lowest layer asked for.
        """
        inner = tuple(layer for layer in layers if layer != INPUT)
        embeds, cut = batch.embeds.detach(), None
        if INPUT in layers:
            embeds.requires_grad_(True)
        else:
            cut = min(inner)
        found: dict[Layer, Tensor] = {}
        with torch.enable_grad():
            forward = replace(batch, embeds=embeds)
            if inner or batch.swaps:
                with tapped(self._need_anatomy(), inner, cut, batch.swaps) as found:
                    outputs = read(forward)
            else:
                outputs = read(forward)
            if INPUT in layers:
                found[INPUT] = embeds
            values = scalar(outputs)
            wanted = [found[layer] for layer in layers]
            grads = gradients_of(values, outputs, wanted, embeds.dtype)
        tangents = {
            layer: torch.zeros_like(at) if grad is None else grad
            for layer, at, grad in zip(layers, wanted, grads, strict=True)
        }
        activations = {layer: tensor.detach() for layer, tensor in zip(layers, wanted, strict=True)}
        return outputs.detach(), values.detach(), activations, tangents

    @property
    def window(self) -> int | None:
        """How far its most short-sighted layer looks, in tokens; None where every layer sees the whole text."""
        sizes = (getattr(self.model.config, name, None) for name in ("sliding_window", "window_size"))
        return min((size for size in sizes if isinstance(size, int)), default=None)

    @property
    def first_place(self) -> int | None:
        """The position id of the first token; None where position ids do not say where a token stands."""
        if self._first_place == NOT_ASKED:
            self._first_place = self._probe.first_place(self.hidden)
        return self._first_place

    def _need_anatomy(self) -> Anatomy:
        if self.anatomy is None:
            raise NotCapable("the blocks of this model could not be found; use a method without layers")
        return self.anatomy

    def probe_batch(self) -> Batch:
        """One short row of ordinary ids, to find out by running it what the model can do."""
        return self._probe.batch()

    def _score_module(self) -> nn.Module:
        """The classifier on a decoder's states: the one module beside the body that gives a row per label."""
        labels = int(self.model.config.num_labels)
        for name, module in self.model.named_children():
            if name != self.model.base_model_prefix and getattr(module, "out_features", None) == labels:
                return BothWays(module) if self.labelling and self.labelling.both_ways else module
        raise NotCapable("no linear classifier was found on this decoder; only score heads of that form are read")


def _given(**keywords: Tensor | None) -> dict[str, Tensor]:
    """The keywords that say something; not every model takes all of them."""
    return {name: value for name, value in keywords.items() if value is not None}
