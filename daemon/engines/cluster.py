"""The engine of a Ray cluster: its driver is a process that speaks as a zygote does and has workers anywhere."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

from saliscope.daemon.engines.replicas import Replicas
from saliscope.daemon.engines.zygote import ZygoteSpawner
from saliscope.protocol.errors import SaliscopeError

NOT_INSTALLED: Final = (
    "engine: Ray is not installed where the daemon runs; run `pip install 'saliscope[ray]'` there and "
    "`saliscope daemon restart`, or use --engine local"
)


def ray_engine(address: str | None, num_actors: int | None) -> Replicas:
    """Workers on the cluster at `address`, or on this machine; the driver is started when one is needed."""
    command = [sys.executable, "-m", "saliscope.daemon.cluster"]
    command += ["--address", address] if address is not None else []
    command += ["--actors", str(num_actors)] if num_actors is not None else []
    return Replicas(ZygoteSpawner([*command, "--fd"], forks=False))


def check_installed() -> None:
    """Raise `bad_request` with what to do where Ray is not installed; imports nothing."""
    if find_spec("ray") is None:
        raise SaliscopeError("bad_request", NOT_INSTALLED)
