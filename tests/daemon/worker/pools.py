"""A pool driven by hand: models without weights that load at once, devices whose memory is a number."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from saliscope.daemon.worker.pool import loading
from saliscope.daemon.worker.pool.budget import Budgets
from saliscope.daemon.worker.pool.pool import ModelPool
from saliscope.explainers.errors import ExplainerError, UnknownModel
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.models.finding import Source

MB = 1 << 20


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeDevice:
    """A device with so much memory; what models hold there is counted while they live."""

    def __init__(self, total: int) -> None:
        self.total, self.base, self.held = total, 10 * MB, {}  # type: ignore[var-annotated]

    def used(self) -> int:
        return self.base + sum(self.held.values())

    def free(self) -> int:
        return self.total - self.used()

    spare = free


class FakeModel:
    """What the pool needs of a model; it takes memory of its device until it is collected."""

    def __init__(self, name: str, size: int, device: FakeDevice, place: torch.device) -> None:
        self.name, self.num_bytes, self.device = name, size, device
        device.held[id(self)] = size
        self.fingerprint_now = f"print-of-{name}"
        weight = SimpleNamespace(numel=lambda: 1, element_size=lambda: size, dtype=torch.float32)
        self.network = SimpleNamespace(model=SimpleNamespace(parameters=lambda: [weight]), device=place)
        self.facts = ModelFacts(
            name, "encoder-classifier", ("a", "b"), frozenset({"class"}), 1, 8, 9, 0, "", self.fingerprint_now
        )

    def __del__(self) -> None:
        del self.device.held[id(self)]

    def fingerprint(self) -> str:
        return self.fingerprint_now

    def fingerprinting(self) -> Any:
        yield
        return self.fingerprint_now

    def summing(self) -> Any:
        yield
        return "sum"


class Driven:
    """A pool whose loads run here and whose time stands still; `sizes` are fake models by name."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch | None = None,
        sizes: dict[str, int] | None = None,
        total: int = 1000 * MB,
        limit: str | None = "100%",
        place: str = "cpu",
    ) -> None:
        self.clock, self.device, self.place = Clock(), FakeDevice(total), torch.device(place)
        self.news: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.loads: list[str] = []
        self.more: dict[str, int] = {}
        """What a model takes beyond what its files say."""
        self.stages: list[Any] = []
        self.fail: Callable[[str], None] = lambda name: None
        if patch is not None:
            self._fake(patch, sizes or {})
        budgets = Budgets(limit, limit, lambda place: self.device) if patch is not None else None
        self.pool = ModelPool("cpu", self.news.put, lambda model: None, budgets, self.clock)

    def _fake(self, patch: pytest.MonkeyPatch, sizes: dict[str, int]) -> None:
        def find(name: str, **options: Any) -> Source:
            if name not in sizes:
                raise UnknownModel(f"no {name}")
            return Source(Path(name), told=f"/{name}")

        def load(name: str, source: Source, options: Any, stage: Any) -> FakeModel:
            self.loads.append(name)
            stage(f"loading {name}")
            self.fail(name)
            return FakeModel(name, sizes[name] + self.more.get(name, 0), self.device, self.place)

        patch.setattr(loading, "find_source", find)
        patch.setattr(loading, "check_source", lambda source, options: None)
        patch.setattr(loading, "pick_device", lambda device: self.place)
        patch.setattr(loading, "parse_dtype", lambda dtype, source, place: torch.float32)
        patch.setattr(loading, "weigh", lambda source, dtype: sizes[str(source.folder)])
        patch.setattr(loading, "load_source", load)

    def ask(self, name: str, owner: object = 1, **options: Any) -> list[Any]:
        """Ask for a model; its outcome will be in the list."""
        got: list[Any] = []
        self.pool.get(name, options.get("download", False), owner, got.append, lambda *told: self.stages.append(told))
        return got

    def turn(self, until: Callable[[], Any]) -> None:
        """Run the worker's loop until something holds."""
        self.pool.tick()
        while not until():
            self.news.get(timeout=60)()
            self.pool.tick()

    def get(self, name: str, owner: object = 1) -> Any:
        """A model, or the error; the owner has it until `release`."""
        got = self.ask(name, owner)
        self.turn(lambda: got)
        return got[0]

    def use(self, name: str) -> Any:
        """Ask for a model, use it for a second, and give it back."""
        outcome = self.get(name, owner := object())
        self.clock.now += 1
        self.pool.release(owner)
        self.pool.tick()
        return None if isinstance(outcome, ExplainerError) else outcome.facts.name

    @property
    def ready(self) -> list[str]:
        """The names of the models that are loaded."""
        return [model["name"] for model in self.pool.models() if model["state"] == "ready"]
