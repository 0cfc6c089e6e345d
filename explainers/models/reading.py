"""What a query reads of raw outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.queries import Along, Moment, Outputs, Read
from saliscope.explainers.targets.scalar import Scalar
from saliscope.explainers.targets.scales import Activation, resolved, scaled_every, tail_value, valued
from saliscope.explainers.texts.encoding import FloatArray


def numbers(logits: Tensor, read: Read, activation: Activation) -> FloatArray:
    """What `read` (no moment) wants of logits `[..., C]`: these, one value of them, or that of each output."""
    assert not isinstance(read, Moment)
    if isinstance(read, Outputs):
        return array(logits)
    if isinstance(read, Along) and read.scalar.reads_every:
        return array(scaled_every(logits, read.scalar.scale, activation, torch))
    return array(valued(logits, read.scalar, activation, torch))


def scalars_of(wanted: Sequence[Scalar], facts: ModelFacts) -> tuple[list[int], Callable[[Tensor], Tensor]]:
    """A function from outputs to the wanted values `[B]`, and the outputs' indices that it will have chosen."""
    chosen: list[int] = []

    def value(scalar: Scalar, outputs: Tensor) -> Tensor:
        if scalar.tail:
            return tail_value(outputs, scalar)
        found: Tensor = valued(outputs, scalar, facts.activation_of(scalar.kind), torch)
        return found

    def scalars(outputs: Tensor) -> Tensor:
        found = [resolved(scalar, row) for scalar, row in zip(wanted, outputs, strict=True)]
        chosen.extend(scalar.index or 0 for scalar in found)
        return torch.stack([value(scalar, row) for scalar, row in zip(found, outputs, strict=True)])

    return chosen, scalars


def array(tensor: Tensor) -> FloatArray:
    """A tensor on the host, in float32."""
    found: FloatArray = tensor.detach().to("cpu", torch.float32).numpy()
    return found
