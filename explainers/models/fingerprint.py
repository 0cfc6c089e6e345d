"""A short digest of a model: the same as long as nobody changed it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch

SAMPLES = 1024
"""Values read of each tensor: evenly spaced, so that a digest takes milliseconds."""


def fingerprint(model: Any) -> str:
    """A digest of the names, shapes and sampled values of all weights, of the configuration if any, and of the hooks.

    The same model gives the same digest wherever its folder lies.
    """
    digest = hashlib.blake2b(digest_size=12)
    config = getattr(model, "config", None)
    told: dict[str, Any] = {} if config is None or not hasattr(config, "to_dict") else config.to_dict()
    settings = {name: value for name, value in told.items() if name != "_name_or_path"}
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    with torch.inference_mode():
        for name, tensor in sorted(model.state_dict().items()):
            flat = tensor.detach().reshape(-1)
            step = max(1, flat.numel() // SAMPLES)
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} {tensor.requires_grad}".encode())
            digest.update(flat[::step].to("cpu", torch.float32).numpy().tobytes())
    for name, module in model.named_modules():
        hooks = len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
        if hooks or module.training:
            digest.update(f"{name} {hooks} {module.training}".encode())
    for name, parameter in model.named_parameters():
        if parameter.requires_grad or parameter.grad is not None:
            digest.update(f"{name} gradient".encode())
    return digest.hexdigest()
