"""Who is at the other end of a connection, and what it may name and do."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.messages import BUNDLED
from saliscope.protocol.origin import Origin

#: Fields of a request, and of a method's parameters in it, that name a model (or a data set) or a file.
_MODELS: Final = ("model", "lm_head_from", "data")
_FILES: Final = ("out", "adapter")


class Peer(Struct, frozen=True):
    """One client: its number, and for a client on TCP the token it must show and the folders it may name."""

    origin: Origin
    token: str | None = None
    roots: tuple[Path, ...] = ()

    @property
    def is_remote(self) -> bool:
        """Whether it came by TCP; a peer on the Unix socket is the daemon's own user."""
        return self.token is not None

    def is_known_by(self, token: str | None) -> bool:
        """Whether this is the token, compared in constant time."""
        expected = (self.token or "").encode()
        return hmac.compare_digest(expected, (token or "").encode("utf-8", "surrogatepass"))

    def checked(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters with the real path in place of every path; `unauthorized` for what a remote one may not."""
        if not self.is_remote:
            return params
        if method == "shutdown":
            raise SaliscopeError("unauthorized", "only its own user, on the daemon's machine, can end the daemon")
        params = self._within(params)
        if isinstance(params.get("params"), dict):
            params["params"] = self._within(params["params"])
        if isinstance(params.get("methods"), list):
            params["methods"] = [self._choice(choice) for choice in params["methods"]]
        return params

    def _choice(self, choice: Any) -> Any:
        if isinstance(choice, dict) and isinstance(choice.get("params"), dict):
            return {**choice, "params": self._within(choice["params"])}
        return choice

    def _within(self, fields: dict[str, Any]) -> dict[str, Any]:
        found = dict(fields)
        for names, check in ((_MODELS, self._model), (_FILES, self._file)):
            found |= {name: check(fields[name]) for name in names if isinstance(fields.get(name), str)}
        return found

    def _model(self, name: str) -> str:
        """A model's name as it is, or the real path of a folder within the roots."""
        looks_like_a_path = name.startswith(("/", ".", "~")) or ".." in name or "\\" in name
        return self._file(name) if looks_like_a_path or (name not in BUNDLED and _exists(name)) else name

    def _file(self, name: str) -> str:
        real = Path(os.path.realpath(name))
        if not any(real.is_relative_to(root) for root in self.roots):
            allowed = ", ".join(map(str, self.roots)) or "none; start the daemon with --root DIR"
            raise SaliscopeError("unauthorized", f"over TCP a path must lie in a folder that was allowed ({allowed})")
        return str(real)


def _exists(name: str) -> bool:
    try:
        return os.path.lexists(name)
    except (OSError, ValueError):
        return False


NewPeer = Callable[[], Peer]
