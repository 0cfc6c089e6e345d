"""The table of the wire: every request with its parameters and result, and every notification.

`docs/protocol.md` and the JSON Schemas are generated from this table (`schema.py`).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec import Struct

from saliscope.protocol.documents import (
    ChangeDocument,
    CloseDocument,
    ConfigureDocument,
    DocumentChanged,
    DocumentFailed,
    DocumentFindings,
    DocumentSettled,
    DocumentState,
    FocusDocument,
    OpenDocument,
    RecordAttribution,
)
from saliscope.protocol.evaluations import Evaluate, Evaluation
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.jobs import Job, JobRef, JobResults, Jobs, SubmitJob
from saliscope.protocol.parameters import (
    Cancel,
    Empty,
    Explain,
    Generate,
    Initialize,
    LoadModel,
    Predict,
    Tokenize,
    UnloadModel,
)
from saliscope.protocol.results import (
    Cleared,
    Explanations,
    Failure,
    Generated,
    GeneratePartial,
    Initialized,
    Methods,
    ModelInfo,
    Models,
    Partial,
    Predictions,
    Progress,
    Status,
    Tokenized,
    Unloaded,
)

#: Models that come with the package.
BUNDLED: Final = ("demo-encoder", "demo-decoder")


class Method(NamedTuple):
    """One row of the table of RPC methods: parameter type, result type and one line of documentation."""

    params: type[Struct]
    result: Any
    summary: str


#: Every request of the wire.
METHODS: Final[dict[str, Method]] = {
    "initialize": Method(Initialize, Initialized, "Opens the session; optional on the Unix socket."),
    "ping": Method(Empty, dict[str, Any], "Answers `{pong: true, version}` at once."),
    "status": Method(Empty, Status, "Health, models, queue, memory and counters; never starts a worker."),
    "shutdown": Method(Empty, dict[str, Any], "Answers the requests in flight, then ends the daemon."),
    "models/list": Method(Empty, Models, "Loaded and bundled models."),
    "models/load": Method(LoadModel, ModelInfo, "Loads a model, with progress."),
    "models/unload": Method(UnloadModel, Unloaded, "Frees a model when nobody uses it, and says what that gave back."),
    "methods/list": Method(Empty, Methods, "The catalogue of explanation methods."),
    "tokenize": Method(Tokenize, Tokenized, "Pieces of a text with their spans."),
    "predict": Method(Predict, Predictions, "Probabilities for texts."),
    "generate": Method(Generate, Generated, "Has a causal language model write on, token by token."),
    "explain": Method(Explain, Explanation | Explanations, "Explains one text or many."),
    "document/open": Method(OpenDocument, DocumentState, "Opens a live document; its records are explained."),
    "document/change": Method(ChangeDocument, DocumentChanged, "Edits it; only what was touched is explained again."),
    "document/focus": Method(FocusDocument, DocumentState, "Says where the reader is, to be explained first."),
    "document/configure": Method(ConfigureDocument, DocumentState, "Says anew how it is explained."),
    "document/close": Method(CloseDocument, DocumentState, "Closes it and cancels what was asked for it."),
    "evaluate": Method(Evaluate, Evaluation, "Compares methods by metrics on a data set, with progress."),
    "jobs/submit": Method(SubmitJob, Job, "Begins to explain a data set into a file; answers when it was looked at."),
    "jobs/list": Method(Empty, Jobs, "The jobs, also those that ended."),
    "jobs/status": Method(JobRef, Job, "How a job is."),
    "jobs/pause": Method(JobRef, Job, "Stops it; what was found is kept."),
    "jobs/resume": Method(JobRef, Job, "Goes on with one that is paused, or has failed."),
    "jobs/cancel": Method(JobRef, Job, "Ends it; what was found is removed."),
    "jobs/results": Method(JobRef, JobResults, "What the rows of a job say together, when it is done."),
    "cache/clear": Method(
        Empty, Cleared, "Forgets all kept results, and what was kept of texts that are being written."
    ),
}

#: Requests that only a daemon answers, no worker by itself.
FRONT_ONLY: Final = ("document/", "jobs/")

#: Notifications: from the client `$/cancel`; to the client, if it asked for them, the others.
NOTIFICATIONS: Final[dict[str, type[Struct]]] = {
    "$/cancel": Cancel,
    "$/progress": Progress,
    "explain/partial": Partial,
    "generate/partial": GeneratePartial,
    "document/attribution": RecordAttribution,
    "document/findings": DocumentFindings,
    "document/failed": DocumentFailed,
    "document/settled": DocumentSettled,
    "$/error": Failure,
}
