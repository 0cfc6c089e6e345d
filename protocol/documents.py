"""Messages of live documents: opened once, changed by edits, explained record by record."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from saliscope.protocol.edits import Edit, Offset
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.protocol.findings import FindingKind
from saliscope.protocol.parameters import Target
from saliscope.protocol.terms import Count, Granularity, Milliseconds, Name, Rows, Scale, Seed

Span = tuple[int, int]
Label = str | int


class DocumentOptions(Struct):
    """How the records of a document are found and explained; what is left out is as for `explain`.

    `format` is a name from the table of formats (default: by the name of the document, then by `language`); `field`,
    `pair` and `label` name the fields of a record. `target` "gold" explains the class of the record's own label.
    A difference of the first two probabilities below `low_margin` is a finding; so is, if `shortcut` is given, a token
    that is the strongest of this share of the records of a class. `max_ms` and `max_rows` bound a record; `until`
    "stable", a method that samples ends as soon as the order of the strongest features hardly changes any more.
    """

    format: Name | None = None
    language: str = ""
    field: Name | None = None
    pair: Name | None = None
    label: Name | None = None
    model: Name | None = None
    method: Name | None = None
    target: Target | str | int | None = None
    scale: Scale | None = None
    granularity: Granularity = "token"
    seed: Seed = 0
    params: dict[str, Any] = {}
    windows: Literal["cut", "stitch"] = "cut"
    low_margin: Annotated[float, Meta(ge=0, le=1)] = 0.1
    shortcut: Annotated[float, Meta(ge=0, le=1)] | None = None
    until: Literal["stable", "end"] = "stable"
    max_ms: Milliseconds | None = None
    max_rows: Rows | None = None


class OpenDocument(DocumentOptions, kw_only=True):
    """Opens a document under a name of the client's choice, a path or a URI; an open one of this name is closed first.

    The other fields are those of `document/configure`.
    """

    document: Name
    text: str
    version: Count = 0


class ConfigureDocument(DocumentOptions, kw_only=True):
    """Says anew how an open document is explained; what is left out is the default.

    Everything is explained again, without the model where only fields and thresholds are others. Records have new ids
    where format or fields are others.
    """

    document: Name


class ChangeDocument(Struct):
    """Edits an open document from version `base` to a later `version`.

    Each edit is in the positions that those before it leave. All of them are made, or none.
    """

    document: Name
    base: Count
    version: Count
    edits: Annotated[list[Edit], Meta(max_length=10_000)]


class FocusDocument(Struct):
    """Says where the reader is: the record at code point `at` is explained first, then those near it."""

    document: Name
    version: Count
    at: Offset


class CloseDocument(Struct):
    """Closes a document; what was asked for it is cancelled."""

    document: Name


class DocumentState(Struct):
    """Answers `document/open`, `focus`, `configure` and `close`: what is open (or was), and how far it is explained.

    `num_explainable` of `num_records` have something to explain; `num_waiting` of them have no final explanation yet.
    `num_asked` requests were made of the model for it so far; `record` has the focus. `num_kept_bytes` are kept of
    explanations. `opening` grows with each opening and configuring: ids of records, and notifications, are of one.
    """

    document: str
    opening: int
    version: int
    format: str
    num_records: int
    num_explainable: int
    num_waiting: int
    num_asked: int
    num_kept_bytes: int = 0
    record: int | None = None
    warnings: list[str] = field(default_factory=list)


class DocumentChanged(Struct):
    """Answers `document/change`: what became of the records, by id; one in no list only moved with the text, if at all.

    A model sees something else of those `changed` and `added`, and the same of those `touched`. `num_computing` records
    are explained because of this change; `num_known` have an explanation that is kept, which is sent again. What moved
    otherwise than its edits say (`Edit.moved`) is in `moved`, as pairs of id and start.
    """

    document: str
    version: int
    changed: list[int]
    touched: list[int]
    added: list[int]
    removed: list[int]
    num_records: int
    num_computing: int
    num_known: int
    moved: list[tuple[int, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class RecordFinding(Struct):
    """Something worth knowing of a record, at `source[start:end]` of the document."""

    kind: FindingKind
    message: str
    start: int
    end: int


class RecordAttribution(Struct):
    """Notified as `document/attribution`: how a record is explained, in the positions of the document's `version`.

    The record is `source[start:end]`. `tokens[i]` and `features[i]` say where those of the `explanation` stand in the
    source (null: nowhere); its own positions are in its own text. `state` "predicted": there is the `prediction` alone,
    which comes first of the record with the focus; "partial": a better explanation follows.
    """

    document: str
    opening: int
    version: int
    record: int
    start: int
    end: int
    label: Label | None
    state: Literal["predicted", "partial", "final"]
    tokens: list[Span | None]
    features: list[Span | None]
    truncated_at: int | None
    findings: list[RecordFinding]
    explanation: Explanation | None
    prediction: Prediction | None = None


class RecordFindings(Struct):
    """All findings of one record, which is `source[start:end]`."""

    record: int
    start: int
    end: int
    label: Label | None
    findings: list[RecordFinding]


class DocumentFindings(Struct):
    """Notified as `document/findings`: these records have these findings now, in the positions of `version`."""

    document: str
    opening: int
    version: int
    records: list[RecordFindings]


class DocumentFailed(Struct):
    """Notified as `document/failed`: no record can be explained so; what waits is let go until `document/configure`."""

    document: str
    opening: int
    version: int
    code: str
    message: str


class DocumentSettled(Struct):
    """Notified as `document/settled`: no record waits any more, and all that was found out was told of this version."""

    document: str
    opening: int
    version: int
