"""How each name is to be loaded: as people asked for it last, else as the worker was started."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, Final

from saliscope.daemon.worker.pool.keeping import default_keep_alive, kept
from saliscope.explainers.models.loading import LoadOptions

#: Names whose wishes are remembered when their model has gone.
MOST: Final = 256


@dataclass(frozen=True, slots=True)
class Wish:
    """How a name is to be loaded from now on, and how many seconds it stays unused."""

    options: LoadOptions
    keep_alive: float


class Wishes:
    """The wishes by name, newest kept."""

    def __init__(self, device: str) -> None:
        options = LoadOptions(
            device,
            allow_pickle=os.environ.get("SALISCOPE_ALLOW_PICKLE") == "1",
            trust_remote_code=os.environ.get("SALISCOPE_TRUST_REMOTE_CODE") == "1",
            self_check=os.environ.get("SALISCOPE_SELF_CHECK") != "0",
        )
        self._default = Wish(options, default_keep_alive())
        self._named: OrderedDict[str, Wish] = OrderedDict()

    def of(self, name: str) -> Wish:
        """How a name is to be loaded."""
        return self._named.get(name, self._default)

    def change(self, name: str, keep_alive: float | None, options: dict[str, Any]) -> Wish:
        """Remember what is given (not None) for a name; the rest stays."""
        before = self.of(name)
        given = {key: value for key, value in options.items() if value is not None}
        after = Wish(replace(before.options, **given), before.keep_alive if keep_alive is None else kept(keep_alive))
        self._named[name] = after
        self._named.move_to_end(name)
        while len(self._named) > MOST:
            self._named.popitem(last=False)
        return after

    def forget(self, name: str) -> None:
        """Load a name as the worker was started."""
        self._named.pop(name, None)
