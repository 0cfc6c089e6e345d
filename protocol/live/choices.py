"""How a document is explained: what its user asked for, over what the nearest `saliscope.toml` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import UNSET

from saliscope.protocol.workspace import Problem, Settings, Trigger, Workspace, nearest, read_workspace


class Choices:
    """The options of a document that lies at `path` (None: nowhere, and no file says anything of it)."""

    def __init__(self, path: Path | None, asked: dict[str, Any], trigger: Trigger | None = None) -> None:
        self._path, self._trigger = path, trigger
        self.asked = asked
        self._workspace: Workspace | None = None
        self._settings = Settings()
        self.refresh()

    @property
    def options(self) -> dict[str, Any]:
        """The options of `open_document`; what was asked for wins."""
        return {**self._settings.options, **self.asked}

    @property
    def trigger(self) -> Trigger:
        """When edits are explained: as they are typed, when the file is saved, or when somebody asks."""
        said = self._settings.trigger
        return self._trigger or ("onType" if said is UNSET else said)

    @property
    def file(self) -> Path | None:
        """The `saliscope.toml` that holds."""
        return None if self._workspace is None else self._workspace.file

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What of the file is not used, and why."""
        return () if self._workspace is None else self._workspace.problems

    def refresh(self) -> bool:
        """Look at the file again; whether another one holds, or it was changed."""
        old = self._workspace
        if self._path is None or (old is not None and not old.outdated(self._path)):
            return False
        file = nearest(self._path)
        self._workspace = None if file is None else read_workspace(file, old)
        self._settings = Settings() if self._workspace is None else self._workspace.settings(self._path)
        return self._workspace is not old
