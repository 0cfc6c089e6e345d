"""Where Ray is not installed everything says so, and what to do."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from saliscope.daemon.engines.replicas import Replicas
from saliscope.daemon.engines.zygote import ZygoteSpawner
from saliscope.protocol.errors import SaliscopeError

ADVICE = r"pip install 'saliscope\[ray\]'"


def without_ray(module: str) -> tuple[str, ...]:
    """The command of a module of ours in an interpreter that finds no Ray."""
    code = f"import sys; sys.modules['ray'] = None; from {module} import main; sys.exit(main())"
    return sys.executable, "-c", code


def test_the_driver_refuses_and_the_request_has_the_advice() -> None:
    async def run() -> None:
        command = (*without_ray("saliscope.daemon.cluster.__main__"), "--fd")
        engine = Replicas(ZygoteSpawner(command, forks=False))
        with pytest.raises(SaliscopeError, match=ADVICE) as caught:
            await engine.call("models/load", {"model": "demo-encoder"})
        assert caught.value.code == "bad_request"
        await engine.close()

    asyncio.run(run())


def test_a_daemon_that_is_to_have_ray_does_not_start() -> None:
    command = (*without_ray("saliscope.daemon.__main__"), "--engine", "ray")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'saliscope[ray]'" in done.stderr


def test_a_number_of_workers_is_a_number() -> None:
    done = subprocess.run(
        (*without_ray("saliscope.daemon.__main__"), "--ray-actors", "many"), capture_output=True, text=True
    )
    assert (done.returncode, "'many' is no number of workers" in done.stderr) == (2, True)
