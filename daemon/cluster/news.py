"""What the driver tells the front."""

from __future__ import annotations

import json
import socket
from typing import Any


def tell(control: socket.socket, **news: Any) -> None:
    """A line for the front."""
    control.setblocking(True)
    control.sendall(json.dumps(news).encode() + b"\n")
    control.setblocking(False)
