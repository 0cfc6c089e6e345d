"""From raw outputs to the scalar that is explained; the same formulas for numpy and torch arrays."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from saliscope.explainers.targets.scalar import RUNNER_UP, Scalar, Scale

Activation = Literal["softmax", "sigmoid", "identity"]


def scaled(outputs: Any, index: int, scale: Scale, activation: Activation = "softmax", xp: ModuleType = np) -> Any:
    """The scalar of output `index` in raw `outputs [..., C]`, shape `[...]`; `xp` is numpy or torch.

    softmax: logit, margin = logit - logsumexp of the others, logprob, prob, loss = -logprob.
    sigmoid (multi-label heads, or one output and its negation): margin = logit, prob = sigmoid.
    identity (regression): only logit and margin, which are the number itself.
    """
    logit = outputs[..., index]
    if scale == "logit" or (activation != "softmax" and scale == "margin"):
        return logit
    if activation == "identity":
        raise ValueError(f"{scale}: a regression head has no probabilities")
    if activation == "sigmoid":
        return _from_logprob(-xp.logaddexp(xp.zeros_like(logit), -logit), scale, xp)
    others = xp.concatenate([outputs[..., :index], outputs[..., index + 1 :]], -1)
    return scaled_beside(logit, _logsumexp(others, xp), scale, xp)


def scaled_beside(logit: Any, rest: Any, scale: Scale, xp: ModuleType = np) -> Any:
    """The scalar `[...]` of an output of a softmax beside the others, whose logsumexp is `rest [...]`."""
    if scale == "logit":
        return logit
    if scale == "margin":
        return logit - rest
    return _from_logprob(-xp.logaddexp(xp.zeros_like(logit), rest - logit), scale, xp)


def scaled_every(outputs: Any, scale: Scale, activation: Activation = "softmax", xp: ModuleType = np) -> Any:
    """The scalar of every class of raw `outputs [..., C]`, shape `[..., C]`."""
    return xp.stack([scaled(outputs, c, scale, activation, xp) for c in range(outputs.shape[-1])], -1)


def grouped(outputs: Any, groups: tuple[tuple[int, ...], ...], xp: ModuleType = np) -> Any:
    """New outputs `[..., G]`, each the logsumexp of a group of `outputs [..., C]`; the outputs themselves for none."""
    if not groups:
        return outputs
    rows = [outputs[..., list(group)] for group in groups]
    return xp.stack([row[..., 0] if row.shape[-1] == 1 else _logsumexp(row, xp) for row in rows], -1)


def resolved(scalar: Scalar, outputs: Any) -> Scalar:
    """The scalar with what is left open decided by `outputs [C]`: the likeliest one, against the strongest other."""
    if scalar.tail:
        return scalar
    index = int(outputs.argmax()) if scalar.index is None else scalar.index
    if scalar.against != RUNNER_UP:
        return replace(scalar, index=index)
    order = outputs.argsort()
    return replace(scalar, index=index, against=int(order[-2] if int(order[-1]) == index else order[-1]))


def valued(outputs: Any, scalar: Scalar, activation: Activation = "softmax", xp: ModuleType = np) -> Any:
    """The value `[...]` of a scalar whose outputs are resolved, in `outputs [..., C]` (already `grouped`)."""
    assert scalar.index is not None
    value = scaled(outputs, scalar.index, scalar.scale, activation, xp)
    if scalar.against is None:
        return value
    return value - scaled(outputs, scalar.against, scalar.scale, activation, xp)


def tail_value(logits: Tensor, scalar: Scalar) -> Tensor:
    """The value `[...]` of the ids of a tail in the `logits [..., m, V]` that predict them, one after another.

    Logits, margins and log-probabilities add up over the ids; prob and loss are those of the whole.
    """
    ids = torch.tensor(scalar.tail, device=logits.device).expand(logits.shape[:-1])[..., None]
    logit = logits.gather(-1, ids)[..., 0]
    steps = logit
    if scalar.scale != "logit":
        rest = logits.scatter(-1, ids, float("-inf")).logsumexp(-1)
        steps = logit - rest if scalar.scale == "margin" else -torch.logaddexp(torch.zeros_like(logit), rest - logit)
    total = steps.sum(-1) if scalar.part is None else steps[..., slice(*scalar.part)].sum(-1)
    value: Tensor = total if scalar.scale in ("logit", "margin") else _from_logprob(total, scalar.scale, torch)
    return value


def _from_logprob(logprob: Any, scale: Scale, xp: ModuleType) -> Any:
    if scale == "logprob":
        return logprob
    return xp.exp(logprob) if scale == "prob" else -logprob


def _logsumexp(values: Any, xp: ModuleType) -> Any:
    top = values.max(-1)
    top = top if xp is np else top.values
    return xp.log(xp.exp(values - top[..., None]).sum(-1)) + top
