"""Jobs on disk, a folder each: what was asked, how it was last, and, when it is done, its results."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from saliscope.protocol import paths
from saliscope.protocol.jobs import Job, JobResults, SubmitJob

T = TypeVar("T", bound=msgspec.Struct)
log = logging.getLogger(__name__)

#: So many jobs that have ended are remembered.
MOST_ENDED: Final = 200


class Store:
    """The folder of the jobs; what the disk does not take is logged, and known as long as the daemon lives."""

    def __init__(self) -> None:
        self.folder = paths.cache_dir() / "jobs"
        self.jobs: dict[str, Job] = {}
        for path in sorted(self.folder.glob("*/job.json")):
            try:
                self.jobs[path.parent.name] = msgspec.json.decode(path.read_bytes(), type=Job)
            except (OSError, msgspec.DecodeError) as error:
                log.warning("a job that cannot be read is left out: %s (%s)", path, type(error).__name__)

    def home(self, job: str) -> Path:
        """The folder of one job."""
        return self.folder / job

    def add(self, job: Job, asked: SubmitJob) -> None:
        """Keep a new job; OSError where that is not possible, and nothing is left of it."""
        home = self.home(job.job)
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            (home / "results.json").unlink(missing_ok=True)
            _write(home / "asked.json", asked)
            _write(home / "job.json", job)
        except OSError:
            shutil.rmtree(home, ignore_errors=True)
            raise
        self.jobs[job.job] = job
        ended = [one for one in self.jobs.values() if one.state in ("done", "failed", "cancelled")]
        for old in sorted(ended, key=lambda one: one.created)[:-MOST_ENDED]:
            self.forget(old.job)

    def keep(self, job: Job) -> None:
        """Keep how a job is now."""
        try:
            _write(self.home(job.job) / "job.json", job)
        except OSError as error:
            log.warning("the state of job %s was not kept (%s)", job.job, error.strerror)

    def forget(self, job: str) -> None:
        """Remove a job from memory and disk; its output stays."""
        self.jobs.pop(job, None)
        shutil.rmtree(self.home(job), ignore_errors=True)

    def asked(self, job: str) -> SubmitJob | None:
        """What was asked; None if that cannot be read any more."""
        return _read(self.home(job) / "asked.json", SubmitJob)

    def results(self, job: str) -> JobResults | None:
        """The results of a job that is done; None if they are not there."""
        return _read(self.home(job) / "results.json", JobResults)


def _write(path: Path, value: msgspec.Struct) -> None:
    draft = path.with_suffix(".draft")
    try:
        draft.write_bytes(msgspec.json.encode(value))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _read(path: Path, type_: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type_)
    except (OSError, msgspec.DecodeError):
        return None
