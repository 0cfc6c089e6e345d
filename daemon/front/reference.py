"""The tables of docs/operations.md: `python -m saliscope.daemon.front.reference docs/operations.md`; a test compares.

Options, limits, metrics and errors come from the code's own tables; the prose between them is the page's.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, get_type_hints

from saliscope.daemon.front.handshake import STRANGER_LIMITS
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.metrics import METRICS
from saliscope.protocol.errors import ERRORS
from saliscope.protocol.frames import CLIENT_LIMITS, SERVER_LIMITS, Limits
from saliscope.protocol.startup import OPTIONS

_MIB: Final = 1 << 20

_MARKED: Final = re.compile(r"<!-- table: (.+?) -->\n.*?<!-- end -->", re.DOTALL)


def document(page: str) -> str:
    """The page with every marked table made anew; a mark of an unknown name is a KeyError."""
    made = tables()
    return _MARKED.sub(lambda found: f"<!-- table: {found[1]} -->\n{made[found[1]]}<!-- end -->", page)


def tables() -> dict[str, str]:
    """Every table by the name of its mark."""
    options = [(_usage(option.name, option.metavar), option.help, option.default or "") for option in OPTIONS]
    metrics = [(f"`saliscope_{metric.name}{'_total' if metric.kind == 'counter' else ''}`", metric.kind,
                ", ".join(metric.labels), metric.help) for metric in METRICS]  # fmt: skip
    errors = [(f"`{code}`", str(status), advice) for code, (status, advice) in ERRORS.items()]
    return {
        "options": _table(("option", "meaning", "default"), options),
        "front limits": _table(("limit", "of"), _front_limits()),
        "frame limits": _table(("limit", "client", "stranger", "answer"), _frame_limits()),
        "metrics": _table(("metric", "kind", "labels", "what"), metrics),
        "errors": _table(("code", "exit status", "what to do"), errors),
    }


def _front_limits() -> list[tuple[str, ...]]:
    hints = get_type_hints(FrontLimits, include_extras=True)
    limits = FrontLimits()
    return [
        (_number(getattr(limits, name)), hints[name].__metadata__[0].description) for name in limits.__struct_fields__
    ]


def _frame_limits() -> list[tuple[str, ...]]:
    kinds = (SERVER_LIMITS, STRANGER_LIMITS, CLIENT_LIMITS)
    names = {"frame": "bytes", "string": "bytes of a string", "array": "entries of an array", "map": "entries of a map",
             "ext": "bytes of a float array", "containers": "arrays and maps in all", "depth": "nesting"}  # fmt: skip
    assert {*names, "trusted"} == {*Limits.__struct_fields__}
    return [(label, *(_frame_limit(kind, name) for kind in kinds)) for name, label in names.items()]


def _frame_limit(kind: Limits, name: str) -> str:
    return _number(getattr(kind, name)) if name == "frame" or not kind.trusted else "not counted"


def _number(value: float) -> str:
    if value >= _MIB and value % _MIB == 0:
        return f"{value // _MIB:g} MiB"
    return f"{value:,g}" if isinstance(value, float) else f"{value:,}"


def _usage(name: str, metavar: str | None) -> str:
    return f"`--{name}{'' if metavar is None else ' ' + metavar}`".replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(document(path.read_text(encoding="utf-8")), encoding="utf-8")
