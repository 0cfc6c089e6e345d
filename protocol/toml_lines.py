"""On which lines of a TOML file its keys stand, which `tomllib` does not say."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

_KEY: Final = r"""(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[A-Za-z0-9_-]+)"""
_DOTTED: Final = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_LINE: Final = re.compile(rf"[ \t]*(?:\[\[?[ \t]*(?P<table>{_DOTTED})[ \t]*\]|(?P<key>{_DOTTED})[ \t]*=)")


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Path of each table and key of a valid TOML text -> its line, from 1, where it comes first."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.split("\n"), 1):
        match = _LINE.match(line)
        if match is None:
            continue
        if match["table"]:
            path = table = _path(match["table"])
        else:
            path = (*table, *_path(match["key"]))
        lines.setdefault(path, number)
    return lines


def _path(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted key, without quotes."""
    at: Any = tomllib.loads(f"{dotted} = 0")
    path: list[str] = []
    while isinstance(at, dict):
        ((key, at),) = at.items()
        path.append(key)
    return tuple(path)
