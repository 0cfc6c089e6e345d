"""What a user has set: by the editor, by `saliscope.toml`, and by commands; which of them wins; what is no setting."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from saliscope.lsp.codes import CODES
from saliscope.protocol import workspace
from saliscope.protocol.workspace import Share, Trigger

SECTION: Final = "saliscope"
#: What an editor's plugin keeps for itself in the section: how to start the server.
PLUGIN: Final = "server"
#: The share of a class's records from which on a token is suspicious, where nobody says another.
_SHORTCUT: Final = 0.5
Preference = Literal["editorFirst", "filesystemFirst", "editorOnly"]
T = TypeVar("T")


class Thresholds(workspace.Thresholds, frozen=True, rename="camel", omit_defaults=True):
    """As in a file, in the spelling of editors."""

    # A struct that only inherits them keeps their names of the file.
    low_margin: Share | UnsetType = UNSET
    shortcut: Share | UnsetType = UNSET


class Settings(workspace.Settings, frozen=True, rename="camel", omit_defaults=True):
    """What an editor may set: what a file may say too, UNSET until somebody says it, and how it is shown."""

    thresholds: Thresholds = Thresholds()
    configuration_preference: Preference = "editorFirst"
    debounce: Annotated[float, Meta(ge=0, le=10_000)] = 150
    max_characters: Annotated[int, Meta(ge=0)] = 4_000_000
    top_k: Annotated[int, Meta(ge=0, le=100)] = 3
    diagnostics: bool | dict[str, bool] = True
    hover: bool = True
    semantic_tokens: bool = True
    decorations: bool = True
    code_lens: bool = True
    document_symbols: bool = True
    code_actions: bool = True
    document_color: bool = False
    inlay_hints: bool = False
    document_highlight: bool = False

    def shows(self, code: str) -> bool:
        """Whether a diagnostic is wanted: as it was set, else as its code has it by default."""
        if isinstance(self.diagnostics, bool):
            return self.diagnostics and CODES[code].is_on
        return self.diagnostics.get(code, CODES[code].is_on)

    @property
    def options(self) -> dict[str, Any]:
        """The options of `document/open` that follow from these settings."""
        found = super().options
        if self.shows("shortcut"):
            found.setdefault("shortcut", _SHORTCUT)
        else:
            found.pop("shortcut", None)
        return found

    @property
    def when(self) -> Trigger:
        """When a document is explained."""
        return "onType" if isinstance(self.trigger, UnsetType) else self.trigger


#: Settings that a file may say too.
SHARED: Final = tuple(workspace.Settings.__struct_fields__)


def read_settings(found: object) -> tuple[dict[str, Any], list[str]]:
    """The known and valid entries of what an editor sent, and what is wrong with the others; null is unset."""
    if isinstance(found, Mapping) and SECTION in found:
        found = found[SECTION]
    if found is None or found == []:
        # An empty table of Lua is an empty list.
        return {}, []
    if not isinstance(found, Mapping):
        return {}, [f"the settings are no map but a {type(found).__name__}"]
    kept: dict[str, Any] = {}
    problems: list[str] = []
    for key, value in found.items():
        if value is None or value == "" or key == PLUGIN:
            continue
        if key not in Settings.__struct_encode_fields__:
            problems.append(f"{SECTION}.{key} is no setting")
        elif (problem := _problem(key, value)) is not None:
            problems.append(f"{SECTION}.{key}: {problem}")
        else:
            kept[key] = value
    return kept, problems


def _problem(key: str, value: object) -> str | None:
    if key == "diagnostics" and isinstance(value, Mapping):
        strange = [code for code in value if code not in CODES]
        if strange:
            return f"{', '.join(strange)}: no such code; there are {', '.join(CODES)}"
    return workspace.problem_of(key, value, Settings)


def resolve(editor: Mapping[str, Any], file: workspace.Settings, commanded: Mapping[str, Any]) -> Settings:
    """What holds: what a command said before all, then editor or file first, as `configurationPreference` has it."""
    own = msgspec.convert(dict(editor), Settings)
    preference = own.configuration_preference
    said = {} if preference == "editorOnly" else _said(file)
    mine = {name: value for name in SHARED if (value := getattr(own, name)) is not UNSET and name != "thresholds"}
    first, second = (said, mine) if preference == "filesystemFirst" else (mine, said)
    thresholds = _thresholds(own.thresholds, file.thresholds, preference)
    return msgspec.structs.replace(own, **{**second, **first, **commanded, "thresholds": thresholds})


def _said(file: workspace.Settings) -> dict[str, Any]:
    return {name: value for name in SHARED if (value := getattr(file, name)) is not UNSET and name != "thresholds"}


def _thresholds(own: Thresholds, file: workspace.Thresholds, preference: Preference) -> Thresholds:
    if preference == "editorOnly":
        return own
    mine = (own.low_margin, own.shortcut)
    said = (file.low_margin, file.shortcut)
    first, second = (said, mine) if preference == "filesystemFirst" else (mine, said)
    return Thresholds(*(b if a is UNSET else a for a, b in zip(first, second, strict=True)))


class Files:
    """The `saliscope.toml` of each folder, read once and again when it has changed."""

    def __init__(self, on_read: Callable[[workspace.Workspace], None]) -> None:
        self._read: dict[Path, workspace.Workspace] = {}
        self._on_read = on_read

    def settings(self, path: Path | None) -> workspace.Settings:
        """What the nearest file says of a document at `path`; nothing for one that is in no folder."""
        for gone in [one for one in self._read if not os.path.isfile(one)]:
            # What was wrong with it stands at no line any more.
            del self._read[gone]
            self._on_read(workspace.Workspace(gone, None, {}, (), ()))
        file = None if path is None else workspace.nearest(path)
        if path is None or file is None:
            return workspace.Settings()
        known = self._read.get(file)
        if known is None or known.outdated(path):
            known = self._read[file] = workspace.read_workspace(file, known)
            self._on_read(known)
        return known.settings(path)
