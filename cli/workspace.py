"""What `saliscope.toml` says of the file that a command is about, where the command line says nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click

#: The target that is the class of a text's label.
GOLD: Final = "gold"
#: Options of the command line that have another name in the file.
_NAMES: Final = {"text_field": "field", "pair_field": "pair", "label_field": "label"}


def filled(file: str | None, given: dict[str, Any], *, has_labels: bool = False) -> dict[str, Any]:
    """Options by name, those that nobody gave as the `saliscope.toml` nearest to a file wants them for it.

    Where `file` is no file (stdin, the id of a data set) they stay. What cannot be used of the file is told on stderr.
    The target `gold` is used where there are labels.
    """
    said = {} if file is None else _said(Path(file))
    if said.get("target") == GOLD and not has_labels:
        del said["target"]
    return {
        name: value if _is_given(name) else said.get(_NAMES.get(name, name), value) for name, value in given.items()
    }


def _said(path: Path) -> dict[str, Any]:
    from saliscope.protocol.workspace import nearest, read_workspace

    found = nearest(path) if path.is_file() else None
    if found is None:
        return {}
    workspace = read_workspace(found)
    for problem in workspace.problems:
        click.echo(f"warning: {found}, line {problem.line}: {problem.message}", err=True)
    settings = workspace.settings(path)
    options = settings.options
    if "target" in options:
        # A command line knows text only.
        options["target"] = str(settings.target)
    return options


def _is_given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source not in (None, click.core.ParameterSource.DEFAULT)
