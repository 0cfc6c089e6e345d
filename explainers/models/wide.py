"""A head with an output for each entry of the vocabulary, read along a line: too wide to keep all that it says.

Kept are of every position how the outputs compare without any single one, and the columns that were asked for. So
another next token costs one column, whatever scale it is on, and no layer of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count

import torch
from torch import Tensor, nn

from saliscope.explainers.models.heads import Head
from saliscope.explainers.models.lines import TOLERANCE, Line
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.targets.scales import grouped, scaled_beside, valued


class WideHead:
    """A language-model head; without `has_columns` it is always read whole, and the values asked for are kept."""

    def __init__(self, head: Head, has_columns: bool) -> None:
        self._head, self._has_columns = head, has_columns

    def outputs(self, line: Line, position: int) -> Tensor:
        """All outputs `[V]` at one position, float32."""
        return line.read_once("outputs", position, lambda states: self._head(states).float())

    def grouped(self, states: Tensor, groups: tuple[tuple[int, ...], ...]) -> Tensor:
        """Outputs `[P, G]` of states `[P, K]`, each the logsumexp of a group of the vocabulary's."""
        few = self._columns([index for group in groups for index in group])
        places = count()
        own = groups if few is None else tuple(tuple(next(places) for _ in group) for group in groups)
        found: Tensor = grouped((few or self._head)(states).float(), own, torch)
        return found

    def values(self, line: Line, positions: Sequence[int], scalar: Scalar) -> Tensor:
        """The value `[P]` of a scalar whose outputs are resolved, at positions of a line."""
        if not self._has_columns:
            return line.read(("values", scalar), positions, lambda states: self._whole(states, scalar)[:, None])[:, 0]
        assert scalar.index is not None
        value = self._value(line, positions, scalar.index, scalar)
        return value if scalar.against is None else value - self._value(line, positions, scalar.against, scalar)

    def _value(self, line: Line, positions: Sequence[int], index: int, scalar: Scalar) -> Tensor:
        logit = line.read(("column", index), positions, self._column(index))[:, 0]
        if scalar.scale == "logit":
            return logit
        value: Tensor = scaled_beside(
            logit, others_than(index, logit, line.read("comparison", positions, self._compare)), scalar.scale, torch
        )
        return value

    def _whole(self, states: Tensor, scalar: Scalar) -> Tensor:
        found: Tensor = valued(self._head(states).float(), scalar, "softmax", torch)
        return found

    def _compare(self, states: Tensor) -> Tensor:
        """Of each of states `[P, K]` the largest output, its index, and the logsumexp of the others, `[P, 3]`."""
        logits = self._head(states).float()
        top, best = logits.max(-1, keepdim=True)
        rest = logits.scatter(-1, best, float("-inf")).logsumexp(-1, keepdim=True)
        return torch.cat([top, best.float(), rest], -1)

    def _column(self, index: int) -> Callable[[Tensor], Tensor]:
        few = self._columns([index])
        assert few is not None
        return lambda states: few(states).float()

    def _columns(self, indices: Sequence[int]) -> Head | None:
        return self._head.columns(indices) if self._has_columns else None


def others_than(index: int, logit: Tensor, comparison: Tensor) -> Tensor:
    """The logsumexp `[P]` of all outputs but one, whose `logit [P]` is given, from what was compared (`[P, 3]`).

    The largest has been left out from the start; any other is at most half of the whole, so that taking it away from
    that loses no digits.
    """
    top, best, rest = comparison.unbind(-1)
    whole = torch.logaddexp(top, rest)
    without = whole + torch.log1p(-(logit - whole).exp().clamp(max=0.5))
    return torch.where(best == index, rest, without)


def has_columns(head: Head | nn.Module | None, states: Tensor) -> bool:
    """Whether a head says the same of states `[P, K]` when it is read in columns."""
    if not isinstance(head, Head):
        return False
    with torch.inference_mode():
        whole = head(states).float()
        indices = [1, whole.shape[-1] - 1]
        few = head.columns(indices)
        if few is None:
            return False
        away = (few(states).float() - whole[..., indices]).abs().max()
        return bool(away <= TOLERANCE * whole.abs().max().clamp(min=1.0))
