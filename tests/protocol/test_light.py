from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "numpy", "rich", "textual", "pygls", "ray"}


def loaded_by(code: str) -> set[str]:
    command = f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "code",
    [
        "import saliscope.protocol",
        "from saliscope.protocol import connect, stop, Client, SaliscopeError, ERRORS",
        "import saliscope.protocol.client, saliscope.protocol.launch, saliscope.protocol.paths",
    ],
)
def test_the_synchronous_client_imports_neither_asyncio_nor_anything_heavy(code: str) -> None:
    assert not loaded_by(code) & (HEAVY | {"asyncio", "subprocess", "tempfile", "platformdirs"})


def test_the_face_of_the_package_is_lazy_and_complete() -> None:
    import saliscope.protocol

    assert all(getattr(saliscope.protocol, name) is not None for name in saliscope.protocol.__all__)
    assert set(dir(saliscope.protocol)) == set(saliscope.protocol.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = saliscope.protocol.nothing


def test_the_front_of_the_daemon_imports_nothing_heavy() -> None:
    code = "import saliscope.daemon.front.run, saliscope.daemon.engines.local, saliscope.daemon.engines.zygote"
    assert not loaded_by(code) & HEAVY
