"""One model of the pool by name: how it is loaded, who waits for it, who uses it, when it goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import torch

from saliscope.explainers.errors import ExplainerError
from saliscope.explainers.models.loading import LoadOptions
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.registry import default_method

State = Literal["loading", "ready", "draining"]
Outcome = TextModel | ExplainerError
Listener = Callable[..., None]
"""Hears (stage), and where they are known (stage, done, total) in bytes."""


class Waiter(NamedTuple):
    """Somebody who wants a model: told the outcome, and the stages until then."""

    owner: object
    tell: Callable[[Outcome], None]
    listen: Listener


class Leaver(NamedTuple):
    """Somebody who wants a model gone, told what that has freed."""

    owner: object
    tell: Callable[[dict[str, int]], None]


@dataclass(slots=True, eq=False)
class Entry:
    """A model that is loading, ready, or draining: leaving as soon as nobody uses it."""

    name: str
    options: LoadOptions
    keep_alive: float
    download: bool = False
    state: State = "loading"
    model: TextModel | None = None
    place: torch.device | None = None
    size: int = 0
    """Bytes that its tensors hold, a borrowed head's too; while it loads, those that are reserved for it."""
    source: str = ""
    stage: str = ""
    load_s: float = 0.0
    last_used: float = 0.0
    verified: float = 0.0
    """When its weights were last found to be those that were loaded."""
    verifying: Generator[None, None, str] | None = None
    """Looks at them again, a slice at a time."""
    seal: str = ""
    """What looking at them gave the first time."""
    waiters: list[Waiter] = field(default_factory=list)
    leavers: list[Leaver] = field(default_factory=list)
    users: set[object] = field(default_factory=set)

    @property
    def is_idle(self) -> bool:
        """Whether it is loaded and nobody uses it."""
        return self.model is not None and not self.users

    @property
    def expires(self) -> float:
        """When it goes if nobody asks for it until then; infinite while it is in use."""
        return self.last_used + self.keep_alive if self.is_idle and self.state == "ready" else math.inf

    def info(self, now: float) -> dict[str, Any]:
        """The wire's `ModelInfo`."""
        told = {
            "name": self.name,
            "state": self.state,
            "num_in_use": len(self.users),
            "keep_alive_s": None if math.isinf(self.keep_alive) else self.keep_alive,
            "expires_s": None if math.isinf(self.expires) else round(max(0.0, self.expires - now), 3),
            "size": self.size,
            "source": self.source,
            "revision": self.options.revision,
            "adapter": self.options.adapter,
        }
        return told if self.model is None else told | _facts(self.model) | {"load_s": round(self.load_s, 3)}


def _facts(model: TextModel) -> dict[str, Any]:
    facts, network = model.facts, model.network
    weights = list(network.model.parameters())
    return {
        "kind": facts.kind,
        "labels": list(facts.labels),
        "capabilities": sorted(facts.capabilities),
        "default_method": default_method(facts, facts.kinds[0])[0],
        "max_tokens": facts.max_tokens,
        "num_layers": facts.num_layers,
        "num_parameters": sum(weight.numel() for weight in weights),
        "num_bytes": sum(weight.numel() * weight.element_size() for weight in weights),
        "device": str(network.device),
        "dtype": str(weights[0].dtype).removeprefix("torch."),
        "fingerprint": facts.fingerprint,
        "lacking": dict(facts.lacking),
        "checks": [check.to_dict() for check in facts.checks],
    }
