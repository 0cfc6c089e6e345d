"""The text in the editor that the environment names."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from saliscope.protocol.errors import SaliscopeError
from saliscope.tui.files import read_file


def edited_outside(text: str, suffix: str) -> str:
    """What VISUAL or EDITOR (else vi) makes of a text; `bad_request` if it cannot be run, or leaves no text."""
    command = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="saliscope-") as folder:
        path = Path(folder) / f"text{suffix}"
        path.write_text(text, encoding="utf-8", newline="")
        try:
            subprocess.run([*command, str(path)], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SaliscopeError("bad_request", f"the external editor: {error}") from error
        return read_file(path).text
