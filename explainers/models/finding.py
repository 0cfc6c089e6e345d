"""From a name to a model on disk: bundled, a folder, a GGUF file, or a snapshot in the hub's cache."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from saliscope.explainers.errors import BadRequest, LoadingFailed, UnknownModel, first_line, listing, suggestion

BUNDLED: Final = ("demo-encoder", "demo-decoder")
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
#: Python files are fetched, and not run (`checkpoint.Trust`).
HUB_FILES: Final = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.py"]

OnStage = Callable[[str], None]
OnBytes = Callable[[float, float], None]
"""Hears (done, total) in bytes."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model on disk: its folder, the GGUF file there that is all of it, and what to say of where it comes from."""

    folder: Path
    gguf: str | None = None
    told: str = ""

    @property
    def reading(self) -> dict[str, Any]:
        """What the readers of transformers must be told besides the folder."""
        return {} if self.gguf is None else {"gguf_file": self.gguf}


def find_source(
    name: str,
    *,
    revision: str | None = None,
    download: bool = False,
    on_stage: OnStage | None = None,
    on_bytes: OnBytes | None = None,
) -> Source:
    """Where a model lies; only with `download` is a hub id fetched. Raises UnknownModel, LoadingFailed, BadRequest."""
    if name in BUNDLED:
        _no_revision(name, revision)
        return Source(Path(str(files("saliscope.explainers.demo") / name)), told="bundled")
    local = Path(name).expanduser()
    if name and local.is_dir():
        _no_revision(name, revision)
        return Source(local, _gguf_in(local), str(local.resolve()))
    if name.endswith(".gguf") and local.is_file():
        _no_revision(name, revision)
        return Source(local.parent, _readable(local), str(local.resolve()))
    if local.is_file() or name.startswith(("/", ".", "~")) or not HUB_ID.fullmatch(name):
        raise UnknownModel(f"{name!r} is no folder and no hub id; bundled are {listing(BUNDLED)}")
    folder = _snapshot(name, revision, download, on_stage or (lambda text: None), on_bytes)
    return Source(folder, None, f"hub {name}@{folder.name}")


def _snapshot(name: str, revision: str | None, download: bool, on_stage: OnStage, on_bytes: OnBytes | None) -> Path:
    from huggingface_hub import snapshot_download

    whole = name if revision is None else f"{name}@{revision}"
    if download:
        on_stage(f"downloading {whole}")
    bar = telling(on_bytes) if download and on_bytes else None
    try:
        return Path(
            snapshot_download(
                name, revision=revision, local_files_only=not download, allow_patterns=HUB_FILES, tqdm_class=bar
            )
        )
    except (OSError, ValueError) as error:
        why = "could not be downloaded" if download else "is not in the hub's cache; --download fetches it"
        detail = f" ({first_line(error)})" if download else ""
        hint = suggestion(name, BUNDLED)
        raise UnknownModel(f"{whole!r} is not bundled ({hint}), no folder here, and {why}{detail}") from error


def telling(on_bytes: OnBytes) -> type[Any]:
    """A progress bar for the hub's client that shows nothing and tells how many bytes have come."""
    from tqdm import tqdm

    class Telling(tqdm):  # type: ignore[misc]
        """Writes to nowhere; files are not counted, bytes are."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "disable": False, "file": io.StringIO()})

        def display(self, *args: Any, **options: Any) -> bool:
            """Tell instead of showing."""
            if self.unit == "B" and self.total:
                on_bytes(float(self.n), float(self.total))
            return True

    return Telling


def _gguf_in(folder: Path) -> str | None:
    """The one GGUF file of a folder that holds no other weights."""
    if any(folder.glob("model*.safetensors")):
        return None
    found = sorted(folder.glob("*.gguf"))
    if len(found) > 1:
        names = listing(path.name for path in found)
        raise LoadingFailed(f"{folder} holds {len(found)} GGUF files ({names}); name one of them, with its folder")
    return _readable(found[0]) if found else None


def _readable(path: Path) -> str:
    """The name of a GGUF file, if what reads such files is installed."""
    missing = [package for package in ("gguf", "accelerate") if find_spec(package) is None]
    if missing:
        raise LoadingFailed(f"{path.name}: GGUF needs {listing(missing)}; run `pip install 'saliscope[gguf]'`")
    return path.name


def _no_revision(name: str, revision: str | None) -> None:
    if revision is not None:
        raise BadRequest(f"revision {revision!r}: only models of the hub have revisions, and {name!r} is none")
