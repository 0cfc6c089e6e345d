"""How the daemon is: asked often, so this module imports neither click nor the renderers."""

from __future__ import annotations

from typing import Any

from saliscope import protocol
from saliscope.protocol.errors import SaliscopeError

#: In the order of `shapes.StatusShape`, which is not imported for its own cost.
_FIELDS = (
    "pid", "version", "protocol", "uptime_s", "socket", "sessions", "requests", "workers", "models", "memory",
    "tcp", "figures", "cache", "warnings",
)  # fmt: skip


def report(*, as_json: bool) -> int:
    """Print the status of the daemon, also if none runs; never starts one. Always 0."""
    status, reason = ask()
    if as_json:
        import json

        facts = {"running": status is not None, "reason": reason}
        print(json.dumps({**facts, **{name: (status or {}).get(name) for name in _FIELDS}}, indent=2))
    elif status is None:
        print(f"not running  {reason}" if reason else "not running  `saliscope daemon start` starts it; "
              "so does the first command that needs it")  # fmt: skip
    else:
        print("\n".join(_lines(status)))
    return 0


def ask() -> tuple[dict[str, Any] | None, str | None]:
    """The fields of the daemon's status; without one of our version None, and a reason if another runs."""
    try:
        return protocol.glance(), None
    except SaliscopeError as error:
        if error.code == "protocol_mismatch":
            return None, f"{error.message}; the next command that needs it replaces it"
        raise


def report_models(status: dict[str, Any] | None, reason: str | None, *, as_json: bool) -> int:
    """Print the models that a status tells of and that take memory; always 0."""
    held = [model for model in (status or {}).get("models", ()) if model["state"] != "available"]
    if as_json:
        import json

        print(json.dumps({"running": status is not None, "reason": reason, "models": held}, indent=2))
    elif status is None:
        print(f"not running  {reason}" if reason else "not running")
    elif not held:
        print("no models in memory; the first request loads one")
    else:
        rows = [("name", "size", "device", "dtype", "state", "in use", "expires"), *map(_held, held)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
        print("\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows))
    return 0


def _held(model: dict[str, Any]) -> tuple[str, ...]:
    if model["num_in_use"]:
        expires = "in use"
    elif model["expires_s"] is not None:
        expires = f"in {duration(model['expires_s'])}"
    else:
        expires = "never" if model["state"] == "ready" else ""
    room = size(model["size"] or model["num_bytes"])
    return model["name"], room, model["device"], model["dtype"], model["state"], str(model["num_in_use"]), expires


def model_line(model: dict[str, Any]) -> str:
    """What is known of a model's state, in a few words."""
    facts = [model["state"], model["kind"], model["device"], size(model["num_bytes"]) if model["num_bytes"] else ""]
    return ", ".join(fact for fact in facts if fact)


def size(num_bytes: float) -> str:
    """Bytes for people: 13.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000 or unit == "GB":
            break
        num_bytes /= 1000
    return f"{num_bytes:.0f} {unit}" if unit == "B" or num_bytes >= 100 else f"{num_bytes:.1f} {unit}"


def duration(seconds: float) -> str:
    """A time span for people: 3 min 12 s."""
    rest = int(seconds)
    days, rest = divmod(rest, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    if days or hours:
        return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _lines(status: dict[str, Any]) -> list[str]:
    rows = [
        ("running", f"pid {status['pid']}, version {status['version']}, up {duration(status['uptime_s'])}"),
        ("socket", status["socket"]),
        ("tcp", status.get("tcp") or ""),
        ("requests", ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in status["requests"].items())),
        ("memory", ", ".join(f"{_memory_name(name)} {size(count)}" for name, count in status["memory"].items())),
    ]
    cache = status.get("cache")
    if cache:
        told = f"{cache['entries']:,} results, {size(cache['disk'])} on disk, {size(cache['memory'])} in memory"
        rows.append(("cache", f"{told}, {cache['hits']:,} hits, {cache['misses']:,} misses"))
    rows += [(f"worker {at}", _worker(worker)) for at, worker in enumerate(status["workers"])]
    rows += [(model["name"], model_line(model)) for model in status["models"]]
    if not status["models"]:
        rows.append(("models", "none loaded; the first request loads one"))
    width = max(len(name) for name, _ in rows)
    return [f"{name:<{width}}  {text}" for name, text in rows if text]


def _memory_name(name: str) -> str:
    return name.removesuffix("_rss").replace("_", " ")


def _worker(worker: dict[str, Any]) -> str:
    """The plain facts of a worker, whatever they are."""
    shown = []
    for name, value in worker.items():
        if isinstance(value, bool | int | str) and value != "":
            shown.append(str(value) if name in ("device", "state") else f"{name.replace('_', ' ')} {value}")
    classes = worker.get("queue", {}).get("classes", {})
    waiting = [f"{counts['rows']} {name}" for name, counts in classes.items() if counts["rows"]]
    if waiting:
        shown.append(f"rows waiting: {', '.join(waiting)}")
    return ", ".join(shown)
