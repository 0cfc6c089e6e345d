"""Commands that choose what is explained, and how: model, method, target."""

from __future__ import annotations

from typing import Any

from saliscope.lsp.arguments import Choice, Token, read
from saliscope.lsp.service import Service
from saliscope.protocol.targets import read_target


async def set_model(service: Service, arguments: list[Any], token: Token) -> Any:
    """Choose the model."""
    return _choose(service, "model", read(arguments, Choice))


async def set_method(service: Service, arguments: list[Any], token: Token) -> Any:
    """Choose the method."""
    return _choose(service, "method", read(arguments, Choice))


async def set_target(service: Service, arguments: list[Any], token: Token) -> Any:
    """Choose what is explained."""
    return _choose(service, "target", read(arguments, Choice))


def _choose(service: Service, name: str, choice: Choice) -> dict[str, Any]:
    if name == "target" and isinstance(choice.what, str):
        read_target(choice.what)
    chosen = service.preferences.commanded if choice.uri is None else service.buffer(choice.uri).commanded
    if choice.what is None:
        chosen.pop(name, None)
    else:
        chosen[name] = choice.what
    concerned = list(service.buffers.values()) if choice.uri is None else [service.buffer(choice.uri)]
    for buffer in concerned:
        service.explain(buffer)
    return {name: choice.what, "documents": [buffer.uri for buffer in concerned]}
