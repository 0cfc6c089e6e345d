"""Messages of `jobs/…`: a data set explained row by row in the background, into a file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from saliscope.protocol.parameters import Target
from saliscope.protocol.terms import Granularity, Name, Scale, Seed

#: Who asks makes it, so that asking twice makes one job.
JobId = Annotated[str, Meta(pattern=r"^[0-9a-z][0-9a-z-]{0,63}$")]
JobState = Literal["running", "paused", "done", "failed", "cancelled"]


class SubmitJob(Struct):
    """Explains every row of `data` (a file, or the hub id of a data set) into `out` (`.jsonl` or `.parquet`).

    Each row of the data is one row of `out`, in the same order, also one that failed. `job` is an id of the client's
    own making: asked again under it, the answer is that job. Rows are known by their number, or by `id_field`, which
    must be unique. `slices` are fields by whose values the results are summed up. `target` "gold" explains the class
    of the label; `limit` takes the first rows only. `deterministic`: the same bytes at every run on one machine. Where
    `out` or parts of it are there, `resume` goes on with those of the same job, `overwrite` begins anew; without one
    of them it is refused. `engine` says who computes: a worker of this machine, or all of a Ray cluster; null: as the
    daemon was started. The other fields are those of `explain`.
    """

    data: Name
    out: Name
    job: JobId | None = None
    model: Name | None = None
    method: Name | None = None
    target: Target | str | int | None = None
    scale: Scale | None = None
    granularity: Granularity = "token"
    seed: Seed = 0
    params: dict[str, Any] = field(default_factory=dict)
    windows: Literal["cut", "stitch"] = "cut"
    download: bool = False
    split: Name | None = None
    limit: Annotated[int, Meta(ge=1)] | None = None
    text_field: Name | None = None
    label_field: Name | None = None
    pair_field: Name | None = None
    id_field: Name | None = None
    slices: Annotated[list[Name], Meta(max_length=16)] = field(default_factory=list)
    deterministic: bool = False
    engine: Literal["local", "ray"] | None = None
    resume: bool = False
    overwrite: bool = False


class JobRef(Struct):
    """Names a job."""

    job: JobId


class Job(Struct):
    """How a job is: `done` of `total` rows (null: not counted yet), `failed` of them with a reason in the output.

    `reason` says why it is paused or has failed; `stage` what a running one is at: checking, counting, explaining,
    merging. `eta_s` are the seconds that the rest will take at the speed of the last minute. `engine` is empty where it
    is the daemon's own.
    """

    job: JobId
    state: JobState
    data: str
    out: str
    model: str | None
    method: str | None
    created: float
    stage: str = ""
    reason: str = ""
    done: int = 0
    failed: int = 0
    total: int | None = None
    rows_per_s: float | None = None
    eta_s: float | None = None
    restarts: int = 0
    engine: str = ""
    warnings: list[str] = field(default_factory=list)


class Jobs(Struct):
    """Answers `jobs/list`, newest first."""

    jobs: list[Job]
    warnings: list[str] = field(default_factory=list)


class FailedRow(Struct):
    """A row that could not be explained."""

    row: int
    id: str
    code: str
    message: str


class TopType(Struct):
    """A token (or word) over all texts of a class: its summed share of their scores, and in how many it is."""

    text: str
    weight: float
    texts: int


class ClassPair(Struct):
    """How many of the `of` strongest types of two classes they have in common."""

    classes: list[str]
    shared: int
    of: int


class Slice(Struct):
    """The rows where `field` has a value: how many, how often the prediction is the label, how sure the model is, and
    how much of all scores the strongest feature has.
    """

    field: str
    value: str
    rows: int
    failed: int
    labelled: int
    accuracy: float | None
    probability: float | None
    concentration: float | None


class Shortcut(Struct):
    """A type that may decide by itself: it is the strongest of its text in a share `top` of the `texts` that have it,
    and a share `purity` of these are predicted as `label`; in `wrong` of them the label is another.
    """

    text: str
    label: str
    texts: int
    top: float
    purity: float
    wrong: int


class JobResults(Struct):
    """Answers `jobs/results` of a job that is done. `failures` are the first ones, `codes` counts all of them.

    `confusion[label][prediction]` are rows. `approximate`: there were so many types that rare ones were left out.
    """

    job: JobId
    out: str
    rows: int
    failed: int
    model: str
    fingerprint: str
    method: str
    codes: dict[str, int]
    failures: list[FailedRow]
    accuracy: float | None
    confusion: dict[str, dict[str, int]]
    top: dict[str, list[TopType]]
    overlap: list[ClassPair]
    slices: list[Slice]
    shortcuts: list[Shortcut]
    forward_rows: int
    backward_rows: int
    approximate: bool = False
    warnings: list[str] = field(default_factory=list)
