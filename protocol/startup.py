"""What whoever starts the daemon may decide: one table for the daemon's command line and for `saliscope daemon`."""

from __future__ import annotations

from typing import Final, NamedTuple

#: Options of every daemon that is started here, also by a command that needs one; given ones win.
OPTIONS_VARIABLE: Final = "SALISCOPE_DAEMON_OPTIONS"
DEFAULT_IDLE: Final = "3h"
DEFAULT_PREFIX_CACHE: Final = "512MB"


class Option(NamedTuple):
    """One option: `--name METAVAR`, or without a metavar a flag; `many` may be repeated."""

    name: str
    metavar: str | None
    help: str
    default: str | None = None
    many: bool = False


OPTIONS: Final = (
    Option("idle-timeout", "TIME", "End after this time without clients and work: 90s, 3h; 0: never.", DEFAULT_IDLE),
    Option("tcp", "HOST:PORT", "Listen on TCP too, for clients that know the token (loopback only)."),
    Option("allow-remote", None, "Let --tcp and --metrics listen beyond loopback; put a TLS proxy in front."),
    Option("root", "DIR", "A folder in which clients on TCP may name files; repeatable.", many=True),
    Option("metrics", "HOST:PORT", "Serve Prometheus metrics there (extra `metrics`)."),
    Option("cache", "SIZE", "Keep results on disk, texts and all, up to this size: 512MiB, 2GiB; 0: none.", "1GiB"),
    Option("log-format", "text|json", "How a line of the log looks.", "text"),
    Option("log-texts", None, "Write the texts of requests into the log."),
    Option(
        "prefix-cache",
        "SIZE",
        "Memory for texts that are being written, computed from the edit on: 512MB, 2GiB; 0: none.",
        DEFAULT_PREFIX_CACHE,
    ),
    Option("engine", "local|ray", "Who computes: a worker here, or one on every device of a Ray cluster.", "local"),
    Option("ray-address", "ADDRESS", "The Ray cluster: HOST:PORT, or `auto`; without one, Ray is started here."),
    Option("ray-actors", "N", "So many workers on it; default: one for each GPU, without GPUs one for each machine."),
    Option("allow-pickle", None, "Load pickled weights, which may run code when they are read."),
    Option("trust-remote-code", None, "Run the Python code that a model's folder brings for its own classes."),
)


def arguments(chosen: dict[str, object]) -> list[str]:
    """The command line of options by name (`log_format` or `log-format`); None, False and empty ones are left out."""
    found: list[str] = []
    for option in OPTIONS:
        value = chosen.get(option.name.replace("-", "_"))
        if option.metavar is None:
            found += [f"--{option.name}"] if value else []
        else:
            values = value if isinstance(value, list | tuple) else () if value is None else (value,)
            # Joined by "=": a value may begin with a dash.
            found += [f"--{option.name}={one}" for one in values]
    return found
