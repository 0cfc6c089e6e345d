"""From raw outputs to the scalar that is explained; the same formulas for numpy and torch arrays."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Literal

import numpy as np

from saliscope.explainers.targets import Scale

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
        logprob = -xp.logaddexp(xp.zeros_like(logit), -logit)
    else:
        others = xp.concatenate([outputs[..., :index], outputs[..., index + 1 :]], -1)
        rest = _logsumexp(others, xp)
        if scale == "margin":
            return logit - rest
        logprob = -xp.logaddexp(xp.zeros_like(logit), rest - logit)
    if scale == "logprob":
        return logprob
    return xp.exp(logprob) if scale == "prob" else -logprob


def scaled_every(outputs: Any, scale: Scale, activation: Activation = "softmax", xp: ModuleType = np) -> Any:
    """The scalar of every class of raw `outputs [..., C]`, shape `[..., C]`."""
    return xp.stack([scaled(outputs, c, scale, activation, xp) for c in range(outputs.shape[-1])], -1)


def _logsumexp(values: Any, xp: ModuleType) -> Any:
    top = values.max(-1)
    top = top if xp is np else top.values
    return xp.log(xp.exp(values - top[..., None]).sum(-1)) + top
