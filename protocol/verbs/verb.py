"""A verb, written once: it makes a call, and whose verb it is decides whether that is waited for or awaited."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, overload

from msgspec import Struct

from saliscope.protocol.listening import OnNotification
from saliscope.protocol.validate import read

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Call(Struct, Generic[T], frozen=True):
    """One request: its method, how its answer is read, its parameters, and who hears of it meanwhile."""

    method: str
    read: Callable[[Any], T]
    params: dict[str, Any] = {}
    listen: OnNotification | None = None


class Blocking(Protocol):
    """A client whose verbs return what they ask for."""

    def ask(self, call: Call[T]) -> T:
        """The answer to a call."""


class Awaited(Protocol):
    """A client whose verbs are awaited."""

    def ask(self, call: Call[T]) -> Coroutine[Any, Any, T]:
        """The answer to a call."""


class Verb(Protocol[P, T_co]):
    """A method of either kind of client: the same parameters, and a result that is there or is awaited."""

    @overload
    def __get__(self, client: Blocking, owner: type) -> Callable[P, T_co]: ...
    @overload
    def __get__(self, client: Awaited, owner: type) -> Callable[P, Coroutine[Any, Any, T_co]]: ...


def verb(build: Callable[Concatenate[Any, P], Call[T]]) -> Verb[P, T]:
    """The method that asks what `build` makes of its parameters."""

    @wraps(build)
    def method(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return client.ask(build(client, *args, **kwargs))

    # A function is bound as any method; only its type says more than that of one.
    return cast("Verb[P, T]", method)


def answer(type_: type[T]) -> Callable[[Any], T]:
    """A reader of answers of this type."""
    return lambda result: read(result, type_)
