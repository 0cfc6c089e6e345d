"""Keys of one's own: `[keys]` in `saliscope/tui.toml` of XDG_CONFIG_HOME, the name of a command = "its, keys"."""

from __future__ import annotations

import os
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, NamedTuple

from textual.binding import Binding
from textual.keys import Keys, _character_to_key

MODIFIERS: Final = frozenset({"ctrl", "shift", "alt", "super", "meta", "hyper"})
_NAMED: Final = frozenset(key.value.rpartition("+")[2] for key in Keys if not key.value.startswith("<"))
#: Keys that every terminal sends, to propose one that is free.
_COMMON: Final = [*(f"f{number}" for number in range(1, 13)), *(f"ctrl+{letter}" for letter in "bnotgelr")]


class Keymap(NamedTuple):
    """The keys of rebound commands by id, as Textual takes them, and what of the file could not be used, in words."""

    keys: dict[str, str]
    problems: list[str]


def path() -> Path:
    """Where it is looked for."""
    base = os.environ.get("XDG_CONFIG_HOME", "").strip()
    return Path(base or os.path.expanduser("~/.config")) / "saliscope" / "tui.toml"


def load(commands: Sequence[Binding], others: Iterable[Binding]) -> Keymap:
    """The keys that the file gives to commands; `others` have keys that none of them can take. No file: none."""
    file = path()
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Keymap({}, [])
    except OSError as error:
        return Keymap({}, [f"cannot read {file}: {error.strerror}"])
    except ValueError as error:
        return Keymap({}, [f"{file} is not TOML: {error}"])
    wanted = data.get("keys", {})
    unknown = [f"{name!r} is not known here; there is [keys]" for name in data if name != "keys"]
    if not isinstance(wanted, dict):
        return Keymap({}, [*unknown, 'keys: expected a table, [keys], with lines such as mask = "f8,x"'])
    found = read(wanted, commands, others)
    return Keymap(found.keys, [*unknown, *found.problems])


def read(wanted: Mapping[str, Any], commands: Sequence[Binding], others: Iterable[Binding]) -> Keymap:
    """What can be used of the wanted keys; a command whose keys cannot be used keeps its own."""
    defaults = {one.id: _split(one.key) for one in commands if one.id is not None}
    names = {one.id: one.description for one in commands}
    fixed = {key: one.description or one.action for one in others for key in _split(one.key)}
    chosen: dict[str, list[str]] = {}
    problems: list[str] = []
    for id, keys in wanted.items():
        wrong = _wrong(id, keys, defaults)
        if wrong:
            problems.append(wrong)
        else:
            chosen[id] = _split(keys)
    while (clash := _clash(chosen, defaults, names, fixed)) is not None:
        id, said = clash
        del chosen[id]
        problems.append(said)
    return Keymap({id: ",".join(keys) for id, keys in chosen.items()}, problems)


def _wrong(id: str, keys: Any, defaults: Mapping[str, list[str]]) -> str:
    """What is wrong with one line by itself, and what would work; empty if nothing is."""
    if id not in defaults:
        close = get_close_matches(id, defaults, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(defaults)}"
        return f"there is no command {id!r}; {hint}"
    if not isinstance(keys, str) or not keys.strip():
        return f'{id}: expected its keys as a string, such as "f8,x"'
    bad = [key for key in _split(keys) if not is_key(key)]
    return f"{id}: {bad[0]!r} is no key; keys are written f8, x, ctrl+t or shift+left" if bad else ""


def _clash(
    chosen: Mapping[str, list[str]],
    defaults: Mapping[str, list[str]],
    names: Mapping[str | None, str],
    fixed: Mapping[str, str],
) -> tuple[str, str] | None:
    """The first command that wants a key which another one has, and that in words."""
    now = {**defaults, **chosen}
    for id, keys in chosen.items():
        taken = {key: names[other] for other, theirs in now.items() if other != id for key in theirs}
        for key in keys:
            owner = fixed.get(key) or taken.get(key)
            if owner is not None:
                free = [one for one in _COMMON if one not in taken and one not in fixed]
                return id, f"{id}: {key} belongs to {owner!r}; free are {', '.join(free[:4])}"
    return None


def is_key(key: str) -> bool:
    """Whether a terminal could send a key of this name."""
    *modifiers, last = key.split("+")
    return set(modifiers) <= MODIFIERS and (last in _NAMED or (len(last) == 1 and last.isprintable()) or _is_sign(last))


def _is_sign(name: str) -> bool:
    """Whether it is a character by its Unicode name, as `question_mark`."""
    try:
        unicodedata.lookup(name.replace("_", " ").upper())
    except KeyError:
        return False
    return True


def _split(keys: str) -> list[str]:
    """Keys as Textual names them."""
    parts = [part.strip() for part in keys.split(",") if part.strip()]
    return [_character_to_key(part) if len(part) == 1 else part for part in parts]
