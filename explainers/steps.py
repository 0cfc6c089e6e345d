"""Generators of steps, driven by other generators."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


def answered(
    steps: Generator[Any, Any, Result], ask: Callable[[Any], Generator[Any, Any, Any]]
) -> Generator[Any, Any, Result]:
    """Run `steps` to their end: each gets what the generator `ask(step)` returns, which may yield steps of its own."""
    reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration as end:
            result: Result = end.value
            return result
        reply = yield from ask(step)


def without(kind: type, steps: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
    """The same steps but those of one kind, which nobody is to hear of."""

    def ask(step: Any) -> Generator[Any, Any, Any]:
        return None if isinstance(step, kind) else (yield step)

    return answered(steps, ask)
