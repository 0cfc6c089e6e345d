"""Heads apart from their bodies: any `*ForMaskedLM` or `*ForCausalLM` as a function of the last hidden state."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

POSITIONS_PER_CHUNK = 64
"""Bounds the memory of `[positions, V]` logits."""


class _Given(nn.Module):
    """Stands in for a body: answers the hidden state it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: Tensor | None = None

    @property
    def decoder(self) -> _Given:
        """Some heads call the body's decoder instead of the body (OPT)."""
        return self

    def forward(self, *args: Any, **kwargs: Any) -> BaseModelOutputWithPastAndCrossAttentions:
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=self.hidden)


class Head:
    """Logits of a language-model head, `[..., K] -> [..., V]`; `source` says whose it is.

    It is the whole model with its body taken out, so that every family's dense layers, norms, biases, soft caps and
    scalings are the family's own code.
    """

    def __init__(self, model: Any, source: str) -> None:
        self.source = source
        self._given = _Given()
        # Asked of the whole model: without its body some families do not know.
        last = model.get_output_embeddings()
        self._last = next((name for name, module in model._modules.items() if module is last), None)
        self._model = copy.copy(model)
        self._model._modules = {**model._modules, model.base_model_prefix: self._given}
        self._ids = torch.zeros((1, 1), dtype=torch.long)

    @property
    def module(self) -> Any:
        """The model without its body."""
        return self._model

    def columns(self, indices: Sequence[int]) -> Head | None:
        """The head that gives only these of its outputs, `[..., len(indices)]`; None where it ends in no plain layer.

        What the family does to its logits behind that layer must be done to each alone; hold the two heads against each
        other before you trust this one.
        """
        last = self._model._modules.get(self._last)
        if type(last) is not nn.Linear:
            return None
        few = nn.Linear(last.in_features, len(indices), bias=last.bias is not None, device="meta")
        for own, whole in zip(few._parameters, last._parameters.values(), strict=True):
            kept = None if whole is None else nn.Parameter(whole.detach()[list(indices)], requires_grad=False)
            few._parameters[own] = kept
        head = copy.copy(self)
        head._model = copy.copy(self._model)
        head._model._modules = {**self._model._modules, self._last: few}
        return head

    def __call__(self, hidden: Tensor) -> Tensor:
        """Logits `[..., V]` of states `[..., K]`."""
        flat = hidden.reshape(1, -1, hidden.shape[-1])
        self._given.hidden = flat
        try:
            logits: Tensor = self._model(input_ids=self._ids.to(hidden.device)).logits
        finally:
            self._given.hidden = None
        return logits.reshape(*hidden.shape[:-1], -1)


def both_ways(logits: Tensor) -> Tensor:
    """One output z `[..., 1]` as the class and its negation, `[..., 2]`: z and -z."""
    return torch.cat([logits, -logits], -1)


class BothWays(nn.Module):
    """A classifier of one output that answers for the class and for its negation."""

    def __init__(self, score: nn.Module) -> None:
        super().__init__()
        self.score = score

    def forward(self, hidden: Tensor) -> Tensor:
        """Logits `[..., 2]` of states `[..., K]`."""
        return both_ways(self.score(hidden))


class EmbeddingHead:
    """Reads positions with the input embeddings, `h W_E^T * scale` (a stand-in for a head)."""

    def __init__(self, weight: Tensor, source: str, scale: float = 1.0) -> None:
        self.source = source
        self._weight, self._scale = weight, scale

    def __call__(self, hidden: Tensor) -> Tensor:
        """Logits `[..., V]` of states `[..., K]`."""
        return hidden @ self._weight.T * self._scale


@dataclass(frozen=True, slots=True)
class Reading:
    """`share [U, T]`: the probability of each wanted id at each position; `own [T]`: of the position's own id."""

    share: Tensor
    own: Tensor


@torch.inference_mode()
def read_layer(head: Head | EmbeddingHead, hidden: Tensor, ids: Tensor, unique: Tensor) -> Reading:
    """Softmax over the whole vocabulary at each of `hidden [T, K]`, kept only for the wanted columns."""
    shares, owns = [], []
    for start in range(0, len(hidden), POSITIONS_PER_CHUNK):
        stop = start + POSITIONS_PER_CHUNK
        logits = head(hidden[start:stop]).float()
        total = logits.logsumexp(-1, keepdim=True)
        shares.append((logits[:, unique] - total).exp())
        owns.append((logits.gather(1, ids[start:stop, None]) - total).exp()[:, 0])
    return Reading(torch.cat(shares).T, torch.cat(owns))
