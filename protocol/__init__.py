"""What travels on the socket: messages, framing, errors, clients, finding and starting the daemon.

`with connect() as client: print(client.explain("a dull film", model="demo-encoder").scores)`
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from saliscope.protocol.aclient import AsyncClient as AsyncClient
    from saliscope.protocol.client import Client as Client
    from saliscope.protocol.errors import ERRORS as ERRORS
    from saliscope.protocol.errors import SaliscopeError as SaliscopeError
    from saliscope.protocol.launch import aconnect as aconnect
    from saliscope.protocol.launch import connect as connect
    from saliscope.protocol.launch import stop as stop
    from saliscope.protocol.light import glance as glance

# Lazy (PEP 562): whoever needs the sync client does not pay for asyncio.
_HOME = {
    "AsyncClient": "aclient",
    "Client": "client",
    "ERRORS": "errors",
    "SaliscopeError": "errors",
    "aconnect": "launch",
    "connect": "launch",
    "glance": "light",
    "stop": "launch",
}
__all__ = ["ERRORS", "AsyncClient", "Client", "SaliscopeError", "aconnect", "connect", "glance", "stop"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
