"""The models of this worker: loaded beside the inbox, one load for all who ask."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from saliscope.explainers.errors import ExplainerError, LoadingFailed
from saliscope.explainers.models.checkpoint import BUNDLED
from saliscope.explainers.models.loading import load
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.registry import default_method

Waiter = Callable[["TextModel | ExplainerError"], None]
Listener = Callable[[str], None]
State = Literal["loading", "ready"]


@dataclass(slots=True)
class Entry:
    """One model by name: its state, and while it loads those who wait for it."""

    name: str
    state: State = "loading"
    model: TextModel | None = None
    stage: str = ""
    waiters: list[tuple[object, Waiter, Listener]] = field(default_factory=list)


class ModelPool:
    """Loads models on threads; every callback runs through `post`, on the worker's own thread.

    `warm` is called with each model where it was loaded, before anybody else gets it.
    """

    def __init__(
        self, device: str, post: Callable[[Callable[[], None]], None], warm: Callable[[TextModel], None]
    ) -> None:
        self.device = device
        self._post, self._warm = post, warm
        self._entries: dict[str, Entry] = {}
        self._allow_pickle = os.environ.get("SALISCOPE_ALLOW_PICKLE") == "1"

    def get(self, name: str, download: bool, owner: object, waiter: Waiter, listener: Listener) -> None:
        """Call `waiter` with the model or the reason why there is none; `listener` hears the stages meanwhile."""
        entry = self._entries.get(name)
        if entry is not None and entry.state == "ready" and entry.model is not None:
            waiter(entry.model)
            return
        if entry is None:
            entry = self._entries[name] = Entry(name)
            threading.Thread(target=self._load, args=(entry, download), name=f"load {name}", daemon=True).start()
        entry.waiters.append((owner, waiter, listener))
        if entry.stage:
            listener(entry.stage)

    def forget(self, owner: object) -> None:
        """Drop the waiters of an owner; the load itself goes on for the next one."""
        for entry in self._entries.values():
            entry.waiters = [row for row in entry.waiters if row[0] != owner]

    def unload(self, name: str) -> bool:
        """Free a model that is ready; False if there is none (or it still loads)."""
        entry = self._entries.get(name)
        if entry is None or entry.state == "loading":
            return False
        del self._entries[name]
        return True

    def models(self) -> list[dict[str, Any]]:
        """What is loaded, then what is bundled and is not, as the wire's `ModelInfo`."""
        known = [_info(entry) for entry in self._entries.values()]
        bundled = [{"name": name, "state": "available"} for name in BUNDLED if name not in self._entries]
        return known + bundled

    def info(self, name: str) -> dict[str, Any]:
        """One loaded model as the wire's `ModelInfo`, with its fingerprint as it is now."""
        entry = self._entries[name]
        return _info(entry) | ({} if entry.model is None else {"fingerprint": entry.model.fingerprint()})

    def _load(self, entry: Entry, download: bool) -> None:
        def stage(text: str) -> None:
            self._post(lambda: self._staged(entry, text))

        outcome: TextModel | ExplainerError
        try:
            outcome = load(entry.name, self.device, download=download, allow_pickle=self._allow_pickle, on_stage=stage)
            stage("warming up")
            self._warm(outcome)
        except ExplainerError as error:
            outcome = error
        except Exception as error:  # whatever a checkpoint breaks is its reader's answer, not the worker's end
            outcome = LoadingFailed(f"{entry.name} could not be loaded: {type(error).__name__}: {error}")
        self._post(lambda: self._loaded(entry, outcome))

    def _staged(self, entry: Entry, text: str) -> None:
        entry.stage = text
        for _, _, listener in entry.waiters:
            listener(text)

    def _loaded(self, entry: Entry, outcome: TextModel | ExplainerError) -> None:
        if isinstance(outcome, ExplainerError):
            # Whoever waits is told; a name that gave no model is not kept.
            self._entries.pop(entry.name, None)
        else:
            entry.state, entry.model = "ready", outcome
        waiters, entry.waiters = entry.waiters, []
        for _, waiter, _ in waiters:
            waiter(outcome)


def _info(entry: Entry) -> dict[str, Any]:
    if entry.model is None:
        return {"name": entry.name, "state": entry.state}
    facts, network = entry.model.facts, entry.model.network
    weights = list(network.model.parameters())
    return {
        "name": entry.name,
        "state": entry.state,
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
    }
