"""Commands about the daemon, its models and methods, and what runs."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from saliscope import __version__
from saliscope.lsp.arguments import Named, Token, read
from saliscope.lsp.descriptions import debugged
from saliscope.lsp.service import Service
from saliscope.protocol.errors import SaliscopeError


async def download(service: Service, arguments: list[Any], token: Token) -> Any:
    """Fetch a model from its hub, and load it."""
    name = read(arguments, Named).name
    if not name:
        raise SaliscopeError("bad_request", "say which model")
    return msgspec.to_builtins(await service.models.load(await service.client(), name, download=True, token=token))


async def models(service: Service, arguments: list[Any], token: Token) -> Any:
    """The models that there are."""
    return msgspec.to_builtins(await (await service.client()).models())


async def methods(service: Service, arguments: list[Any], token: Token) -> Any:
    """The methods that there are."""
    return msgspec.to_builtins(await (await service.client()).methods())


async def cancel(service: Service, arguments: list[Any], token: Token) -> Any:
    """Cancel what has a progress bar: all of it, or what has this token."""
    name = read(arguments, Named).name
    if name is None:
        return {"cancelled": service.tasks.cancel_work()}
    return {"cancelled": [name] if service.tasks.cancel_progress(name) else []}


async def status(service: Service, arguments: list[Any], token: Token) -> Any:
    """How the session and the daemon are."""
    session = service.session
    found = None if session is None or session.client is None else msgspec.to_builtins(await session.client.status())
    return {"session": None if session is None else session.state, "daemon": found, "tasks": service.tasks.names}


async def restart_daemon(service: Service, arguments: list[Any], token: Token) -> Any:
    """End the daemon; the session starts the next one and opens its documents there."""
    return await service.restart()


async def print_debug_information(service: Service, arguments: list[Any], token: Token) -> Any:
    """Versions, settings and documents, without a word of their texts."""
    session = service.session
    return {
        "version": __version__,
        "python": sys.version.split()[0],
        "session": None if session is None else session.state,
        "abilities": {name: getattr(service.abilities, name) for name in service.abilities.__slots__},
        "documents": [debugged(buffer) for buffer in service.buffers.values()],
    }
