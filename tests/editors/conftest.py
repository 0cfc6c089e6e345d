from __future__ import annotations

from tests.daemon.conftest import daemon, home, start

__all__ = ["daemon", "home", "start"]
