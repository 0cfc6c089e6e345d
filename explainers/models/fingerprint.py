"""A short digest of a model: the same as long as nobody changed it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from typing import Any

import torch

SAMPLES = 1024
"""Values read of each tensor: evenly spaced, so that a digest takes milliseconds."""

WORDS_AT_ONCE = 1 << 20
"""Values summed between two yields: a few milliseconds of one core."""


def fingerprint(model: Any, marks: Sequence[str] = ()) -> str:
    """A digest of the names, shapes and sampled values of all weights, of the configuration if any, and of the hooks.

    The same model gives the same digest wherever its folder lies; `marks` say what else makes it another one (an
    adapter, a revision).
    """
    steps = fingerprinting(model, marks)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return str(end.value)


def fingerprinting(model: Any, marks: Sequence[str] = ()) -> Generator[None, None, str]:
    """The same in slices of milliseconds: it yields after each tensor, and returns the digest."""
    digest = hashlib.blake2b(digest_size=12)
    config = getattr(model, "config", None)
    told: dict[str, Any] = {} if config is None or not hasattr(config, "to_dict") else config.to_dict()
    settings = {name: value for name, value in told.items() if name != "_name_or_path"}
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    for mark in marks:
        digest.update(f"mark {mark}".encode())
    for name, tensor in sorted(model.state_dict().items()):
        with torch.inference_mode():
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} {tensor.requires_grad}".encode())
            digest.update(_samples(tensor.detach()).to("cpu", torch.float32).numpy().tobytes())
        yield
    for name, module in model.named_modules():
        hooks = len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        if hooks or module.training:
            digest.update(f"{name} {hooks} {module.training}".encode())
    yield
    for name, parameter in model.named_parameters():
        if parameter.requires_grad or parameter.grad is not None:
            digest.update(f"{name} gradient".encode())
    return digest.hexdigest()


def summing(model: Any) -> Generator[None, None, str]:
    """A digest of every bit of the weights, computed where they are: it yields after some megabytes each.

    Sums of whole words: a flipped bit anywhere changes one of them.
    """
    digest = hashlib.blake2b(digest_size=12)
    for name, tensor in sorted(model.state_dict().items()):
        with torch.inference_mode():
            flat = _stored(tensor.detach()).reshape(-1)
            words = flat.view({1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[flat.element_size()])
        for at in range(0, len(words), WORDS_AT_ONCE):
            with torch.inference_mode():
                total = int(words[at : at + WORDS_AT_ONCE].sum(dtype=torch.int64))
            digest.update(f"{name} {at} {total}".encode())
            yield
    return digest.hexdigest()


def _samples(tensor: torch.Tensor) -> torch.Tensor:
    """Evenly spaced values, the same however the tensor is laid out; it is not copied."""
    step = max(1, tensor.numel() // SAMPLES)
    if tensor.is_contiguous():
        return tensor.reshape(-1)[::step]
    return tensor[torch.unravel_index(torch.arange(0, tensor.numel(), step, device=tensor.device), tensor.shape)]


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor or its transpose, whichever lies in memory in one piece; a copy where neither does."""
    return tensor.t() if tensor.dim() == 2 and tensor.t().is_contiguous() else tensor.contiguous()
