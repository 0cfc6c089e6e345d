"""The systemd user units of the daemon: a socket that systemd listens on, and the service that it starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from saliscope.protocol import paths, processes, startup

_SOCKET: Final = """\
[Unit]
Description=saliscope explains text models (socket)

[Socket]
ListenStream={socket}
SocketMode=0600
DirectoryMode=0700

[Install]
WantedBy=sockets.target
"""

_SERVICE: Final = """\
[Unit]
Description=saliscope explains text models
Requires=saliscope.socket

[Service]
Type=notify
ExecStart={command}
{environment}StandardOutput=append:{log}
StandardError=append:{log}
WatchdogSec=60
Restart=on-failure
# The daemon answers what is in flight, and ends its workers itself.
KillMode=mixed
TimeoutStopSec=60
UMask=0077
NoNewPrivileges=yes

[Install]
Also=saliscope.socket
"""

#: What of the environment decides where the daemon's files lie, which models it finds, and its options.
_KEPT: Final = (
    paths.RUNTIME_VARIABLE, paths.CACHE_VARIABLE, startup.OPTIONS_VARIABLE,
    "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "PYTHONPATH", "SALISCOPE_DEVICE",
)  # fmt: skip


def folder() -> Path:
    """Where systemd looks for the units of this user."""
    base = os.environ.get("XDG_CONFIG_HOME", "").strip()
    return Path(base or os.path.expanduser("~/.config")) / "systemd" / "user"


def units(options: list[str]) -> dict[str, str]:
    """File name -> content; the service starts this Python's daemon with these options."""
    command = " ".join(_quoted(part) for part in (sys.executable, *processes.DAEMON, *options))
    kept = [(name, os.environ[name]) for name in _KEPT if os.environ.get(name)]
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in kept)
    log = _escaped(str(paths.log_path()))
    return {
        "saliscope.socket": _SOCKET.format(socket=_escaped(str(paths.socket_path()))),
        "saliscope.service": _SERVICE.format(command=command, environment=environment, log=log),
    }


def _quoted(part: str) -> str:
    """A word of a command line as systemd reads it."""
    escaped = _escaped(part).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{escaped}"' if not part or any(c in part for c in " \t\"'\\;") else escaped


def _escaped(text: str) -> str:
    """Without specifiers: a percent sign is itself."""
    return text.replace("%", "%%")
