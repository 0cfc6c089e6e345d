"""Packages that get an environment of their own, made when first asked for; one that cannot be had is named.

Such an environment sees ours behind its own packages, so that torch is not fetched again. A guest is another process:
it runs while we wait, and tells its own CPU seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.peers.clock import clocked, cpu_seconds, ratios, spread
from bench.peers.subjects import TARGET, Subject
from saliscope.explainers import explain

ROOMS = Path("data/peers")
PACKAGES = {"shap": "shap==0.51.0", "interpreto": "interpreto==0.5.2"}
SIZES = (16, 64)
TOKENS = 1024

TITLE = f"{'package':<18}{'method':<22}{'n':>4}  {'we, ms':>18}  {'x large batches':<20}{'x default':<20}"


class Absent(Exception):
    """A package that could not be had, and why."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A package's method beside ours with `params`."""

    package: str
    method: str
    params: Mapping[str, Any]


VISITS = (
    Visit("shap", "partition-shap", {"samples": 500}),
    Visit("interpreto", "occlusion", {}),
    Visit("interpreto", "integrated-gradients", {"steps": 32, "max_steps": 1}),
    Visit("interpreto", "kernel-shap", {"samples": 256}),
)


class Guest:
    """One explainer of a package, in a process of its own environment; `batch` 0 is the package's default."""

    def __init__(self, python: Path, visit: Visit, folder: Path, batch: int) -> None:
        script = Path(__file__).with_name("guest.py")
        command = [str(python), "-I", str(script), visit.package, visit.method, str(folder), str(batch)]
        threads = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        # A file and not a pipe: nobody reads it while a guest talks.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=os.environ | threads,
        )

    def __enter__(self) -> Guest:
        self.version = str(self._read()["version"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._said.close()

    def seconds(self, text: str) -> float:
        """CPU seconds of one explanation."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(text) + "\n")
        self._process.stdin.flush()
        return float(self._read()["seconds"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._said.seek(0)
            said = self._said.read().strip().splitlines()
            raise Absent(said[-1] if said else "it ended without a word")
        answer: dict[str, Any] = json.loads(line)
        return answer


def room(package: str) -> Path:
    """The Python of a package's environment; one that does not install is `Absent`."""
    folder = ROOMS / package
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        _call(sys.executable, "-m", "venv", "--clear", str(folder))
        behind = sysconfig.get_path("purelib", vars={"base": str(folder.resolve())})
        Path(behind, "behind.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        _call(str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", PACKAGES[package])
        (folder / ".ready").touch()
    return python.absolute()


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise Absent(said[-1] if said else f"{command[0]} ended with {done.returncode}")


def compare(subjects: list[Subject], repetitions: int) -> Iterator[str]:
    """One line a visit and text; packages that cannot be had are named with the reason."""
    for visit in VISITS:
        try:
            python = room(visit.package)
            for subject in subjects:
                if subject.num_tokens in SIZES:
                    yield _line(python, visit, subject, repetitions)
        except Absent as error:
            yield f"{visit.package:<18}{visit.method:<22}LEFT OUT: {error}"


def _line(python: Path, visit: Visit, subject: Subject, repetitions: int) -> str:
    def ours() -> object:
        return explain(subject.model, subject.text, method=visit.method, target=TARGET, **visit.params)

    with ExitStack() as stack:
        large, default = (
            stack.enter_context(Guest(python, visit, subject.folder, batch))
            for batch in (max(1, TOKENS // len(subject.encoding)), 0)
        )
        runs = {
            "ours": lambda: cpu_seconds(ours),
            "large": lambda: large.seconds(subject.text),
            "default": lambda: default.seconds(subject.text),
        }
        times = clocked(runs, repetitions)
        name = f"{visit.package} {large.version}"
    cells = f"{name:<18}{visit.method:<22}{subject.num_tokens:>4}  "
    cells += f"{spread([1e3 * value for value in times['ours']], '.0f'):>18}  "
    return cells + "".join(f"{spread(ratios(times[name], times['ours'])):<20}" for name in ("large", "default"))
