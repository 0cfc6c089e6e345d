"""A torch module with an embedding, behind the surface that methods need: embeddings in, outputs and gradients out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from saliscope.explainers.errors import NotCapable
from saliscope.explainers.foreign.outputs import Form, logits_of
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.heads import Head, both_ways
from saliscope.explainers.models.labels import Labelling
from saliscope.explainers.models.taps import Anatomy
from saliscope.explainers.targets.scalar import Kind
from saliscope.explainers.variants import INPUT, Layer

ALONE = "only its word embeddings and its outputs are known"
PROBE_LENGTH = 6
TOLERANCE = 1e-4


class ModuleNetwork:
    """A module as it is, given word embeddings in place of those it looks up itself.

    `call` maps ids `[B, T]` to outputs `[B, C]`. Rows of one call are all of one length, so nothing is ever padded.
    Every pass runs in evaluation mode and gives the modes back as they were; no parameter is touched.
    """

    causal = False
    own_kind: Kind = "class"
    anatomy: Anatomy | None = None
    heads: Mapping[Kind, Head | nn.Module] = {}
    num_types = 0
    window: int | None = None
    first_place: int | None = 0

    def __init__(
        self,
        module: nn.Module,
        embedding: nn.Embedding,
        call: Callable[[Tensor], Any],
        pad_id: int | None,
        labelling: Labelling,
        form: Form,
    ) -> None:
        self.model, self.embedding, self._call = module, embedding, call
        self._pad_id, self._labelling, self._form = pad_id, labelling, form
        self._num_outputs = 1 if labelling.both_ways else len(labelling.labels)
        # What the module may read off ids beside the embeddings is who is padding.
        self._filler = next(i for i in range(self.num_embeddings) if i != pad_id)
        self._ids_first = True

    @property
    def device(self) -> torch.device:
        """Where the embeddings live."""
        return self.embedding.weight.device

    @property
    def num_embeddings(self) -> int:
        """How many ids have an embedding."""
        return int(self.embedding.weight.shape[0])

    @property
    def pad_id(self) -> int:
        """The id that pads; without one it is `NotCapable`."""
        if self._pad_id is None:
            raise NotCapable("this model has no pad token; use reference=mask, mean or zero")
        return self._pad_id

    @property
    def end_ids(self) -> frozenset[int]:
        """None: it writes nothing."""
        return frozenset()

    def embed(self, ids: Tensor) -> Tensor:
        """Word embeddings `[..., K]` of ids, a tensor of its own."""
        with torch.no_grad(), self._evaluating():
            return self.embedding(ids).clone()  # type: ignore[no-any-return]

    def mean_embedding(self) -> Tensor:
        """The mean row of the embedding matrix, `[K]`."""
        return self.embedding.weight.detach().float().mean(0)

    def hidden(self, embeds: Tensor, mask: Tensor, places: Tensor | None = None, types: Tensor | None = None) -> Tensor:
        """Never: outputs are not read along the text."""
        raise NotCapable(f"{ALONE}; it predicts nothing on the way")

    def layer_states(self, embeds: Tensor, mask: Tensor, layer: Layer, types: Tensor | None = None) -> Tensor:
        """Never: no layer is known."""
        raise NotCapable(f"{ALONE}; leave layers out")

    def swapping(self, batch: Batch) -> AbstractContextManager[None]:
        """Forwards as they are: no layer is known, so none can be swapped."""
        if batch.swaps:
            raise NotCapable(f"{ALONE}; leave layers out")
        return nullcontext()

    def pooled(self, embeds: Tensor, mask: Tensor, places: Tensor | None = None, types: Tensor | None = None) -> Tensor:
        """Logits `[B, C]`, float32; rows are grouped by their length and cut to it."""
        if bool((mask[:, 1:] > mask[:, :-1]).any()):
            raise NotCapable(f"{ALONE}; it has no attention mask, use mask=replace or mask=drop")
        lengths = mask.sum(-1)
        order, parts = [], []
        for length in sorted(set(lengths.tolist())):
            rows = (lengths == length).nonzero()[:, 0]
            order.append(rows)
            parts.append(self._outputs(embeds[rows, :length]))
        return torch.cat(parts)[torch.cat(order).argsort()]

    def reader(self, kind: Kind, groups: tuple[tuple[int, ...], ...] = ()) -> Callable[[Batch], Tensor]:
        """What makes the outputs `[B, C]` of a batch."""
        if groups:
            raise NotCapable(f"{ALONE}; it has no next token")
        return lambda batch: self.pooled(batch.embeds, batch.mask)

    def read_tail(self, state: Tensor, reads: Tensor) -> Tensor:
        """Never: nothing follows the text."""
        raise NotCapable(f"{ALONE}; it has no next token")

    def gradients(
        self, read: Callable[[Batch], Tensor], batch: Batch, layers: Sequence[Layer], scalar: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, Tensor, dict[Layer, Tensor], dict[Layer, Tensor]]:
        """One forward and one backward: outputs as `read` makes them, values `[B]`, embeddings and their gradients."""
        if tuple(layers) != (INPUT,):
            raise NotCapable(f"{ALONE}; leave layers out")
        embeds = batch.embeds.detach().requires_grad_(True)
        # A recurrent layer of cuDNN goes back in training mode only; torch's own kernels do so in evaluation mode.
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            outputs = read(replace(batch, embeds=embeds))
            values = scalar(outputs)
            (gradient,) = torch.autograd.grad(values.sum(), [embeds])
        return outputs.detach(), values.detach(), {INPUT: embeds.detach()}, {INPUT: gradient}

    def probe_batch(self) -> Batch:
        """Two short rows of ordinary ids, to find out by running them what the module can do."""
        places = torch.arange(2 * PROBE_LENGTH, device=self.device).reshape(2, -1)
        ids = (places * 7 + self._filler + 1) % self.num_embeddings
        if self._pad_id is not None:
            ids[ids == self._pad_id] = self._filler
        ends = torch.full((2,), PROBE_LENGTH - 1, device=self.device)
        return Batch(ids, torch.ones_like(ids), None, self.embed(ids), ends, {})

    def check(self) -> bool:
        """Refuse a module that answers otherwise from embeddings than from ids; whether gradients reach these."""
        probe = self.probe_batch()
        seen: list[Tensor] = []
        hook = self.embedding.register_forward_hook(lambda module, args, output: seen.append(output))
        try:
            with torch.no_grad(), self._evaluating():
                plain = self._read(self._call(probe.ids), len(probe.ids))
        finally:
            hook.remove()
        self._ids_first = self._check_shape(seen, probe)
        with torch.no_grad():
            ours = self.pooled(probe.embeds, probe.mask)
        scale = float(plain.abs().max().clamp(min=1.0))
        gap = float((ours - plain).abs().max())
        if not gap <= TOLERANCE * scale:
            raise NotCapable(
                f"the module answers otherwise (by {gap:.2g}) from the embeddings of its ids than from the ids: it"
                " reads them elsewhere too, or is random in evaluation mode"
            )
        with torch.enable_grad():
            embeds = probe.embeds.detach().requires_grad_(True)
            with torch.backends.cudnn.flags(enabled=False):
                outputs = self.pooled(embeds, probe.mask)
            if not outputs.requires_grad:
                return False
            return torch.autograd.grad(outputs[:, 0].sum(), [embeds], allow_unused=True)[0] is not None

    def _check_shape(self, seen: Sequence[Tensor], probe: Batch) -> bool:
        """Whether the embedding is looked up with ids `[B, T]` rather than `[T, B]`; anything else is refused."""
        rows, length, width = probe.embeds.shape
        shapes = [tuple(tensor.shape) for tensor in seen]
        if shapes in ([(rows, length, width)], [(length, rows, width)]):
            return shapes == [(rows, length, width)]
        raise NotCapable(
            f"the embedding answered {shapes or 'nothing'} to ids of shape {(rows, length)}; it must be looked up once,"
            f" with one embedding a token, {(rows, length, width)}: give the module's own embedding, and a forward that"
            " maps ids [B, T] to outputs [B, C]"
        )

    def _outputs(self, embeds: Tensor) -> Tensor:
        """Logits `[B, C]` of rows `[B, T, K]` of one length."""
        graded = torch.is_grad_enabled()
        # A module that keeps tensors for later must not be left with ones that know no gradients.
        with torch.inference_mode(False), torch.set_grad_enabled(graded), self._evaluating():
            # A copy, since modules may work in place.
            given = embeds.clone() if self._ids_first else embeds.transpose(0, 1).clone()
            ids = torch.full(embeds.shape[:2], self._filler, dtype=torch.long, device=embeds.device)
            hook = self.embedding.register_forward_hook(lambda module, args, output: given)
            try:
                return self._read(self._call(ids), len(embeds))
            finally:
                hook.remove()

    def _read(self, answered: Any, rows: int) -> Tensor:
        """Logits `[B, C]` of what the module answered: a tensor, the first of a tuple, or `.logits`."""
        found = answered[0] if isinstance(answered, tuple | list) else getattr(answered, "logits", answered)
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        if shape == (rows,) and self._num_outputs == 1:
            found = found[:, None]
        elif shape != (rows, self._num_outputs):
            raise NotCapable(
                f"the module answered {shape} to {rows} rows of ids; expected {(rows, self._num_outputs)}, one number a"
                " label: give a forward that maps ids [B, T] to that"
            )
        logits: Tensor = found.float()
        if self._form == "probabilities":
            logits = logits_of(logits, self._labelling.activation, torch)
        return both_ways(logits) if self._labelling.both_ways else logits

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Inside, no part of the module is in training mode; afterwards those that were are again."""
        training = [part for part in self.model.modules() if part.training]
        for part in training:
            part.training = False
        try:
            yield
        finally:
            for part in training:
                part.training = True
