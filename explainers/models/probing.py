"""What a short run says of a network beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from saliscope.explainers.errors import NotCapable
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.targets.scalar import Kind
from saliscope.explainers.variants import INPUT

PROBE_TOLERANCE = 1e-3
HALVES = (torch.float16, torch.bfloat16)
ROUNDING = 1e-3
"""A gradient whose part along the embedding is a smaller share than this is at right angles to it."""


class Probe:
    """Six ordinary ids, run through a Hugging Face model to find out what it is."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._body: nn.Module = model.base_model
        self._embedding: nn.Module = model.get_input_embeddings()
        self._ids = self._pick_ids()

    def batch(self) -> Batch:
        """The ids as a row of its own."""
        ids = self._ids
        ends = torch.tensor([ids.shape[1] - 1], device=ids.device)
        return Batch(ids, torch.ones_like(ids), None, self._embed(ids), ends, {})

    def state(self) -> Tensor:
        """The last hidden state `[1, 6, K]`."""
        return self._run(self._ids)

    def is_causal(self) -> bool:
        """Whether no position looks ahead: changing the last id leaves the earlier states alone."""
        other = self._ids.clone()
        other[0, -1] = self._ids[0, 0]
        before, after = self._run(self._ids)[:, :-1], self._run(other)[:, :-1]
        return bool((before - after).abs().max() <= 1e-4 * before.abs().max().clamp(min=1.0))

    @torch.no_grad()
    def first_place(self, hidden: Callable[..., Tensor]) -> int | None:
        """The position id of the first token, by states that `hidden` makes; None where none of those tried fits.

        Tries what families count from: leaving a token out must be the same as nobody looking at it.
        """
        ids = self._ids
        steps, keep = torch.arange(ids.shape[1], device=ids.device)[None], [0, 1, 3, 4, 5]
        everything, blind = torch.ones_like(ids), torch.ones_like(ids)
        blind[0, 2] = 0
        plain = hidden(self._embed(ids), everything)
        for first in dict.fromkeys((0, int(self._model.config.pad_token_id or 0) + 1, 2)):
            try:
                same = hidden(self._embed(ids), everything, steps + first)
                unseen = hidden(self._embed(ids), blind, steps + first)[:, keep]
                without = hidden(self._embed(ids[:, keep]), everything[:, keep], steps[:, keep] + first)
            except TypeError:
                return None
            if torch.allclose(same, plain, atol=1e-4) and torch.allclose(unseen, without, atol=1e-4):
                return first
        return None

    @torch.no_grad()
    def check(self, outputs: Callable[[Batch], Tensor]) -> None:
        """Refuse a model whose `outputs`, alone and in a padded batch, are not those of its own call: `NotCapable`."""
        ids = self._ids
        plain = self._model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        plain = plain[:, -1] if plain.dim() == 3 else plain
        padded = torch.cat([torch.cat([ids, ids[:, :2]], 1), torch.cat([ids, ids[:, :2]], 1)])
        mask = torch.ones_like(padded)
        mask[0, ids.shape[1] :] = 0
        ends = torch.tensor([ids.shape[1] - 1, padded.shape[1] - 1], device=ids.device)
        ours = outputs(Batch(padded, mask, None, self._embed(padded), ends, {}))[:1]
        scale = float(plain.float().abs().max().clamp(min=1.0))
        gap = float((ours[:, : plain.shape[-1]] - plain.float()).abs().max())
        half = plain.dtype in HALVES
        if not gap <= PROBE_TOLERANCE * scale * (50 if half else 1):
            raise NotCapable(
                f"this architecture answers differently from padded embeddings (by {gap:.2g}); it needs an adapter"
            )

    def _pick_ids(self) -> Tensor:
        """Six ordinary ids, none of them a pad, whatever the vocabulary."""
        config = self._model.config
        special: set[int] = set()
        for ids in (config.pad_token_id, config.eos_token_id, config.bos_token_id):
            special.update(ids if isinstance(ids, list | tuple) else [ids])
        plain = [i for i in range(int(config.vocab_size)) if i not in special]
        picks = [plain[len(plain) * (k + 1) // 8] for k in range(6)]
        return torch.tensor([picks], device=next(self._embedding.parameters()).device)

    def _embed(self, ids: Tensor) -> Tensor:
        embedded: Tensor = self._embedding(ids)
        return embedded

    @torch.no_grad()
    def _run(self, ids: Tensor) -> Tensor:
        state: Tensor = self._body(inputs_embeds=self._embed(ids), attention_mask=torch.ones_like(ids))[0]
        return state


def is_scale_free(network: Surface, batch: Batch, kind: Kind) -> bool:
    """Whether every word embedding goes through a norm at once, so that its length means nothing.

    The gradient at such an embedding is at right angles to it: their product is rounding at every position. Asked of
    every output at once with weights that do not cancel.
    """

    def mixed(outputs: torch.Tensor) -> torch.Tensor:
        weights = torch.linspace(1.0, 2.0, outputs.shape[-1], device=outputs.device)
        return (outputs * weights).sum(-1)

    _, _, states, gradients = network.gradients(network.reader(kind), batch, (INPUT,), mixed)
    state, gradient = states[INPUT].float(), gradients[INPUT].float()
    sizes = state.norm(dim=-1) * gradient.norm(dim=-1)
    along = (state * gradient).sum(-1).abs()
    share = ROUNDING * (50 if states[INPUT].dtype in HALVES else 1)
    return bool(sizes.max() > 0) and bool((along <= share * sizes.clamp(min=1e-12)).all())
