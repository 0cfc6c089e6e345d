"""The devices of a cluster: Ray joined or started, and for every device an actor with its share."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from pathlib import Path
from typing import Any, Final

from saliscope.daemon.cluster.host import Host
from saliscope.daemon.engines.cluster import check_installed
from saliscope.protocol import paths
from saliscope.protocol.errors import SaliscopeError

#: What workers elsewhere are told of how this daemon was started.
_TOLD: Final = ("SALISCOPE_PREFIX_CACHE", "SALISCOPE_ALLOW_PICKLE", "SALISCOPE_TRUST_REMOTE_CODE")
#: Bytes for what is on its way between actors, where we start Ray: answers are small.
_STORE: Final = 256 << 20
_KNOCK_S: Final = 10.0
#: A Ray that we start listens on loopback only (elsewhere this is what the variable's name says), and asks for a token.
_PRIVATE: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": "token"}


def folder() -> Path:
    """Where Ray keeps its sockets and logs, if we start it: no other user may look there."""
    return paths.runtime_dir() / "ray"


def join(address: str | None, num_actors: int | None) -> None:
    """Connect to the cluster at `address`, or start Ray on this machine, for this process only.

    `bad_request` says what to do where Ray is not installed, or no cluster answers.
    """
    check_installed()
    # Ray reads its environment when it is imported. Nobody has agreed to be counted.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        os.environ |= _PRIVATE | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
        # What a driver that was killed has left there.
        shutil.rmtree(folder(), ignore_errors=True)
    import ray

    try:
        if address is not None:
            _knock(address)
            ray.init(address=address)
        else:
            ray.init(
                address="local", num_cpus=max(os.cpu_count() or 1, num_actors or 1), include_dashboard=False,
                object_store_memory=_STORE, _temp_dir=str(folder()),
            )  # fmt: skip
    except Exception as error:
        # Ray raises what it likes.
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        where = f"there is no Ray cluster at {address}" if address else "Ray cannot be started on this machine"
        raise SaliscopeError(
            "bad_request",
            f"engine: {where} ({said}); look at `ray status`, start one with `ray start --head`, or use --engine local",
        ) from error


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at HOST:PORT; Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=_KNOCK_S).close()


class Places:
    """So many actors on the cluster that was joined, each with an equal share of it; they end with this process.

    Without `num_actors`, one for each GPU, or where there is none, one for each machine.
    """

    def __init__(self, num_actors: int | None) -> None:
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        num_gpus = int(sum(node.get("GPU", 0) for node in nodes))
        self.num = num_actors or num_gpus or len(nodes)
        on_one = -(-self.num // len(nodes))
        cpus = max(1, int(min(node.get("CPU", 1) for node in nodes)) // on_one)
        gpus = 1 / -(-self.num // num_gpus) if num_gpus else 0
        # Restarted by us: the bytes that were on their way to one are lost with it.
        self._class = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_restarts=0, scheduling_strategy="SPREAD", max_concurrency=16
        )(Host)
        self._environment = {name: os.environ[name] for name in _TOLD if name in os.environ}
        self._actors: dict[int, Any] = {}

    def actor(self, place: int) -> Any:
        """The actor of a place, made if there is none; where it goes decides Ray."""
        if place not in self._actors:
            self._actors[place] = self._class.remote(self._environment)
        return self._actors[place]

    def lose(self, place: int) -> None:
        """The actor of this place is gone, or must go."""
        import ray

        actor = self._actors.pop(place, None)
        if actor is not None:
            ray.kill(actor)
