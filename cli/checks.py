"""The checks of `saliscope doctor`: each looks at one thing, cheaply, and says what to do about it."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from saliscope import protocol
from saliscope.cli.shapes import CheckShape
from saliscope.cli.status import duration, size
from saliscope.protocol import paths
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.results import Status

MINIMUM_PYTHON: Final = (3, 11)
_NVIDIA_TIMEOUT_S: Final = 5


def ok(name: str, detail: str) -> CheckShape:
    """Nothing to do."""
    return CheckShape(name, "ok", detail)


def warn(name: str, detail: str, advice: str) -> CheckShape:
    """Works, but not as well as it could."""
    return CheckShape(name, "warn", detail, advice)


def fail(name: str, detail: str, advice: str) -> CheckShape:
    """Does not work until somebody acts."""
    return CheckShape(name, "fail", detail, advice)


def run_all(environ: Mapping[str, str] = os.environ) -> Iterator[CheckShape]:
    """Every check, in the order in which a problem would be looked for."""
    yield check_python(sys.version_info[:3])
    yield from check_packages()
    folder = check_folder("runtime folder", paths.runtime_dir)
    yield folder
    yield check_folder("cache folder", paths.cache_dir)
    status: Status | None = None
    if folder.state == "ok":
        yield check_socket(paths.socket_path())
        daemon, status = check_daemon()
        yield daemon
    yield check_device(status, _version("torch"), gpus())
    yield from check_hub(environ)


def check_python(version: tuple[int, ...]) -> CheckShape:
    """Whether the interpreter is new enough."""
    detail = f"{'.'.join(map(str, version))} ({sys.executable})"
    if version >= MINIMUM_PYTHON:
        return ok("python", detail)
    return fail("python", detail, f"Install Python {'.'.join(map(str, MINIMUM_PYTHON))} or newer.")


def check_packages() -> Iterator[CheckShape]:
    """Whether what the base install needs is there, new enough; each of the two big ones has its own line."""
    small = []
    for requirement in metadata.requires("saliscope") or []:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^A-Za-z0-9_.-]", requirement)[0]
        least = re.search(r">=\s*([0-9.]+)", requirement)
        check = check_package(name, _version(name), least[1] if least else "0")
        if check.state != "ok" or name in ("torch", "transformers"):
            yield check
        else:
            small.append(f"{name} {check.detail}")
    yield ok("packages", ", ".join(small))


def check_package(name: str, found: str | None, least: str) -> CheckShape:
    """Whether a distribution is installed in at least this version."""
    advice = f"Run `pip install '{name}>={least}'` in the environment of saliscope."
    if found is None:
        return fail(name, "not installed", advice)
    return ok(name, found) if _numbers(found) >= _numbers(least) else fail(name, f"{found} is too old", advice)


def check_folder(name: str, folder: Callable[[], Path]) -> CheckShape:
    """Whether a folder of ours can be used: ours alone, and writable."""
    try:
        return ok(name, str(folder()))
    except SaliscopeError as error:
        detail, _, advice = error.message.partition("; ")
        return fail(name, detail, f"{advice[:1].upper()}{advice[1:]}." if advice else error.advice)


def check_socket(path: Path) -> CheckShape:
    """Whether the socket, if there is one, is ours and closed to others."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return ok("socket", f"{path} (none yet)")
    if not stat.S_ISSOCK(found.st_mode):
        return fail("socket", f"{path} is no socket", f"Remove it: `rm {path}`.")
    if found.st_uid != os.getuid():
        return fail("socket", f"{path} belongs to another user", f"Set {paths.RUNTIME_VARIABLE} to your own folder.")
    if found.st_mode & 0o077:
        return warn("socket", f"{path} is open to others ({stat.filemode(found.st_mode)})", f"Run `chmod 600 {path}`.")
    return ok("socket", str(path))


def check_daemon() -> tuple[CheckShape, Status | None]:
    """Whether the daemon answers, and is of our version."""
    try:
        with protocol.connect(start=False) as client:
            status = client.status()
    except SaliscopeError as error:
        if error.code == "unavailable" and "no daemon" in error.message:
            return ok("daemon", "not running; the first command that needs it starts it"), None
        state = warn if error.code == "protocol_mismatch" else fail
        return state("daemon", error.message, error.advice), None
    return ok("daemon", f"pid {status.pid}, version {status.version}, up {duration(status.uptime_s)}"), status


def check_device(status: Status | None, torch: str | None, found: list[str]) -> CheckShape:
    """Where models run: what the daemon says, else what the driver and the build of torch allow."""
    used = sorted({model.device for model in status.models if model.device}) if status else []
    if used:
        return ok("device", f"{', '.join(used)} (in use by the daemon)")
    if found and torch is not None and "+cpu" in torch:
        return warn("device", f"{', '.join(found)} idle: torch {torch} is built for the CPU only",
                    "Install a CUDA build of torch; https://pytorch.org/get-started has the command.")  # fmt: skip
    if found:
        return ok("device", ", ".join(found))
    return ok("device", f"cpu, {os.cpu_count()} cores; no NVIDIA driver answers")


def gpus() -> list[str]:
    """The names of NVIDIA devices by `nvidia-smi`; empty without it."""
    import shutil
    import subprocess

    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=_NVIDIA_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [" ".join(line.replace(",", "").split()) for line in answer.stdout.splitlines() if line.strip()]


def check_hub(environ: Mapping[str, str]) -> Iterator[CheckShape]:
    """Where models of the Hugging Face hub lie, and whether they may be fetched."""
    home = Path(environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface").expanduser()
    cache = Path(environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    if not cache.exists():
        yield ok("hub cache", f"{cache} (none yet)")
    elif not os.access(cache, os.R_OK | os.X_OK):
        yield fail("hub cache", f"cannot read {cache}", "Correct its permissions, or set HF_HOME to another folder.")
    else:
        models = sum(1 for entry in cache.iterdir() if entry.name.startswith("models--"))
        room = f"{models} model{'' if models == 1 else 's'}, {size(_free(cache))} free"
        if os.access(cache, os.W_OK):
            yield ok("hub cache", f"{cache}, {room}")
        else:
            yield warn(
                "hub cache", f"{cache} is read-only, {room}", "Downloads fail; set HF_HOME to a folder of yours."
            )
    offline = environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on")
    if offline:
        yield warn("hub", "offline: HF_HUB_OFFLINE is set", "Unset it if `--download` is to work.")
    else:
        yield ok("hub", f"{environ.get('HF_ENDPOINT') or 'https://huggingface.co'}; only `--download` fetches models")


def _free(path: Path) -> int:
    import shutil

    return shutil.disk_usage(path).free


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.partition("+")[0])[:3])
