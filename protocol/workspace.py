"""`saliscope.toml`: which model, method and fields a workspace wants for which files; the nearest one wins."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.targets import read_target
from saliscope.protocol.terms import Granularity, Name
from saliscope.protocol.toml_lines import key_lines

FILE: Final = "saliscope.toml"
GLOBS: Final = "files"
#: The target that is the class of each record's label.
GOLD: Final = "gold"
Trigger = Literal["onType", "onSave", "manual"]
Share = Annotated[float, Meta(ge=0, le=1)]


class Thresholds(Struct, frozen=True, rename="kebab", omit_defaults=True):
    """From where on something is worth a finding."""

    low_margin: Share | UnsetType = UNSET
    shortcut: Share | UnsetType = UNSET


class Settings(Struct, frozen=True, omit_defaults=True):
    """What a file may say, for everything or for one glob; what it leaves out is UNSET: the default of who asks."""

    model: Name | UnsetType = UNSET
    method: Name | UnsetType = UNSET
    target: str | int | UnsetType = UNSET
    granularity: Granularity | UnsetType = UNSET
    format: Name | UnsetType = UNSET
    field: Name | UnsetType = UNSET
    pair: Name | UnsetType = UNSET
    label: Name | UnsetType = UNSET
    trigger: Trigger | UnsetType = UNSET
    thresholds: Thresholds = Thresholds()

    @property
    def options(self) -> dict[str, Any]:
        """What of it are options of a document (`requests.RecordOptions`)."""
        own = (name for name in Settings.__struct_fields__ if name not in ("trigger", "thresholds"))
        said = {name: getattr(self, name) for name in own}
        said |= {name: getattr(self.thresholds, name) for name in self.thresholds.__struct_fields__}
        found = {name: value for name, value in said.items() if value is not UNSET}
        if isinstance(self.target, str) and self.target != GOLD:
            found["target"] = read_target(self.target)
        return found


#: key -> what it says.
KEYS: Final[Mapping[str, str]] = {
    "model": "A name from `saliscope models`, a folder, or a hub id.",
    "method": "A name from `saliscope methods`.",
    "target": "What is explained, as for `saliscope explain --target`: a class or its index, `gold`, …",
    "granularity": "`token`, `word`, `sentence`, `line`, or `regex:PATTERN`.",
    "format": "A name from the table of formats, where suffix and language say the wrong one.",
    "field": "The field of the text.",
    "pair": "The field of the second text.",
    "label": "The field of the label.",
    "trigger": "When it is explained: `onType`, `onSave`, or `manual`.",
    "thresholds.low-margin": "Below this difference of the first two probabilities (0 to 1) a margin is low.",
    "thresholds.shortcut": "A token that is the strongest in this share of a class's records (0 to 1) is suspicious.",
}


class Problem(NamedTuple):
    """What is not used of a file, and why; `line` counts from 1."""

    line: int
    message: str


@dataclass(frozen=True)
class Workspace:
    """A `saliscope.toml` that was read: what it says for all files, and for globs, of which later ones win."""

    file: Path
    stamp: tuple[int, int, int] | None
    everywhere: dict[str, Any]
    globs: tuple[tuple[str, dict[str, Any]], ...]
    problems: tuple[Problem, ...]

    def settings(self, path: Path) -> Settings:
        """What holds for a file at or below the folder of this one."""
        relative = _plain(path).relative_to(_plain(self.file).parent)
        merged = self.everywhere
        for glob, own in self.globs:
            if matches(relative, glob):
                thresholds = {**merged.get("thresholds", {}), **own.get("thresholds", {})}
                merged = {**merged, **own, **({"thresholds": thresholds} if thresholds else {})}
        return msgspec.convert(merged, Settings)

    def outdated(self, path: Path) -> bool:
        """Whether another file holds for `path` now, or this one has changed since it was read."""
        return nearest(path) != self.file or _stamp(self.file) != self.stamp


def nearest(path: Path) -> Path | None:
    """The `saliscope.toml` in the folder of a file or the closest one above."""
    found = (folder / FILE for folder in _plain(path).parents)
    return next((file for file in found if _is_file(file)), None)


def read_workspace(file: Path, before: Workspace | None = None) -> Workspace:
    """Read a `saliscope.toml`; every key that cannot be used is a problem with its line, and the rest is kept.

    Of a file that cannot be read at all, as while somebody writes in it, what it said `before` still holds.
    """
    stamp = _stamp(file)
    before = before if before is not None and before.file == file else None
    known = before or Workspace(file, stamp, {}, (), ())
    outcome = "nothing of it is used" if before is None else "what it said before still holds"
    try:
        # Some editors write a byte order mark, which is no TOML.
        text = file.read_text(encoding="utf-8-sig")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(1, f"the file cannot be read, and {outcome}: {error}")
        return replace(known, stamp=stamp, problems=(problem,))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        return replace(known, stamp=stamp, problems=(Problem(line, f"this is no TOML, and {outcome}: {error}"),))
    problems: list[tuple[tuple[str, ...], str]] = []
    globs = data.pop(GLOBS, {})
    if not isinstance(globs, dict):
        problems.append(((GLOBS,), f'{GLOBS} is no table; write [{GLOBS}."*.jsonl"]'))
        globs = {}
    everywhere = _kept(data, (), problems)
    below = []
    for glob, own in globs.items():
        if isinstance(own, dict):
            below.append((glob, _kept(own, (GLOBS, glob), problems)))
        else:
            problems.append(((GLOBS, glob), f'{glob} is no table; write [{GLOBS}."{glob}"]'))
    lines = key_lines(text)
    told = sorted(Problem(_line(lines, path), message) for path, message in problems)
    return Workspace(file, stamp, everywhere, tuple(below), tuple(told))


def matches(path: PurePath, glob: str) -> bool:
    """Whether a glob takes a path: one without a slash by its name alone; `**` crosses folders, `*` and `?` do not."""
    subject = path.as_posix() if "/" in glob else path.name
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.removeprefix("/"))
    return re.fullmatch("".join(words.get(part) or re.escape(part) for part in parts), subject, re.DOTALL) is not None


def problem_of(key: str, value: object, kind: type[Struct]) -> str | None:
    """Why a value cannot stand under a key of `kind`; None if it can."""
    try:
        msgspec.convert({key: value}, kind)
        if key == "target" and isinstance(value, str):
            read_target(value)
    except msgspec.ValidationError as error:
        return str(error).partition(" - at ")[0]
    except SaliscopeError as error:
        return error.message.removeprefix("target: ")
    return None


def _kept(data: dict[str, Any], path: tuple[str, ...], problems: list[tuple[tuple[str, ...], str]]) -> dict[str, Any]:
    """The entries of a table that are known and valid; the others become problems."""
    kept: dict[str, Any] = {}
    for key, value in data.items():
        if path[-1:] != ("thresholds",) and key == "thresholds" and isinstance(value, dict):
            kept[key] = _kept(value, (*path, key), problems)
            continue
        kind: type[Struct] = Thresholds if path[-1:] == ("thresholds",) else Settings
        known = kind.__struct_encode_fields__
        if key not in known:
            problems.append(((*path, key), f"{key} is none of {', '.join(known)}"))
            continue
        problem = problem_of(key, value, kind)
        if problem is None:
            kept[key] = value
        else:
            problems.append(((*path, key), f"{key}: {problem}"))
    return kept


def _line(lines: Mapping[tuple[str, ...], int], path: tuple[str, ...]) -> int:
    return next((lines[path[:size]] for size in range(len(path), 0, -1) if path[:size] in lines), 1)


def _plain(path: Path) -> Path:
    """An absolute path without `..`, which would make folders of its parents that the file does not lie in."""
    return Path(os.path.abspath(path))


def _is_file(file: Path) -> bool:
    """Whether there is a file; a link to where nobody may look is none."""
    try:
        return file.is_file()
    except OSError:
        return False


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
