"""What a query reads of raw outputs."""

from __future__ import annotations

import torch
from torch import Tensor

from saliscope.explainers.queries import Along, Moment, Outputs, Read
from saliscope.explainers.targets.scales import Activation, scaled_every, valued
from saliscope.explainers.texts.encoding import FloatArray


def numbers(logits: Tensor, read: Read, activation: Activation) -> FloatArray:
    """What `read` (no moment) wants of logits `[..., C]`: these, one value of them, or that of each output."""
    assert not isinstance(read, Moment)
    if isinstance(read, Outputs):
        return array(logits)
    if isinstance(read, Along) and read.scalar.reads_every:
        return array(scaled_every(logits, read.scalar.scale, activation, torch))
    return array(valued(logits, read.scalar, activation, torch))


def array(tensor: Tensor) -> FloatArray:
    """A tensor on the host, in float32."""
    found: FloatArray = tensor.detach().to("cpu", torch.float32).numpy()
    return found
