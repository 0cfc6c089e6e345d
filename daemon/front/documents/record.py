"""Records: what of a document is explained as one, its fields, and what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple

from saliscope.daemon.front.documents.mapping import SourceMap, Span
from saliscope.protocol.findings import FINDINGS, FindingKind

FieldKind = Literal["text", "pair", "label", "message"]
Label = str | int

#: Code points of a message at most: names of fields may be as long as a document.
_LONGEST: Final = 500
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Field:
    """A decoded text, called `name` in the source, and where its characters stand; a message has a `role`."""

    kind: FieldKind
    name: str
    text: str
    map: SourceMap
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a record, at a span of it; the message can travel, whatever it quotes."""

    kind: FindingKind
    message: str
    span: Span

    def __post_init__(self) -> None:
        message = self.message if len(self.message) <= _LONGEST else self.message[: _LONGEST - 1] + "…"
        # The only way to set a field of what is frozen while it is made.
        object.__setattr__(self, "message", message.encode("utf-8", "backslashreplace").decode())


@dataclass(frozen=True, slots=True)
class Record:
    """A record of `length` code points; all positions count from its own start, so that it can move as it is.

    `key` is the content that a model sees (the label is not in it), and equal for two records that say the same.
    """

    length: int
    fields: tuple[Field, ...]
    label: Label | None
    findings: tuple[Finding, ...]
    key: str

    @property
    def explained(self) -> bool:
        """Whether there is something to explain and nothing in the way."""
        return bool(self.fields) and not any(FINDINGS[finding.kind][0] for finding in self.findings)

    @property
    def shape(self) -> FieldKind:
        """What it is: a text, a pair, or the messages of a chat."""
        kinds = {field.kind for field in self.fields}
        return "message" if "message" in kinds else "pair" if "pair" in kinds else "text"

    @property
    def input(self) -> dict[str, Any]:
        """What a model is asked about: `text`, `text` and `pair`, or `messages`."""
        messages = [{"role": field.role, "content": field.text} for field in self.fields if field.kind == "message"]
        if messages:
            return {"messages": messages}
        return {field.kind: field.text for field in self.fields if field.kind in ("text", "pair")}


class Placed(NamedTuple):
    """A record and where it starts."""

    start: int
    record: Record


def make_record(
    source: str, span: Span, fields: list[Field], findings: list[Finding], label: Label | None = None
) -> Placed:
    """A record at `span` of `source`, from fields and findings in the positions of `source`.

    Texts that are blank, or that no tokenizer reads, become findings here, for every format.
    """
    start, end = span
    far = [field for field in fields if not _inside(source, field, span)]
    if far:
        fields = [field for field in fields if field not in far]
        findings = [*findings, *(Finding("not-explained", f"{field.name} stands elsewhere", span) for field in far)]
    # The blank lines that end a block of YAML may be part of its text.
    end = max([end, *(_whole(field)[1] for field in fields)])
    findings = [*findings, *(finding for field in fields for finding in _unreadable(field))]
    texts = [field for field in fields if field.kind in ("text", "message")]
    if texts and not any(field.text.strip() for field in texts):
        findings.append(Finding("empty", "the text has nothing visible", _whole(texts[0])))
    if start:
        fields = [replace(field, map=field.map.shifted(-start)) for field in fields]
        findings = [replace(one, span=(one.span[0] - start, one.span[1] - start)) for one in findings]
    key = _key(source[start:end], fields, findings)
    return Placed(start, Record(end - start, tuple(fields), label, tuple(findings), key))


def has_surrogate(text: str) -> bool:
    """Whether half of a surrogate pair stands alone in a text, which then cannot travel, and no tokenizer reads it."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def _unreadable(field: Field) -> list[Finding]:
    if field.kind == "pair" and not field.text.strip():
        return [Finding("empty", "the second text has nothing visible", _whole(field))]
    lone = None if field.text.isascii() else _SURROGATE.search(field.text)
    if lone is None:
        return []
    message = f"{field.name}: half of a surrogate pair stands alone"
    return [Finding("not-unicode", message, field.map.to_source(*lone.span()))]


def _inside(source: str, field: Field, span: Span) -> bool:
    """Whether a field stands within its record, which one that YAML takes from an anchor elsewhere does not."""
    start = _whole(field)[0]
    return span[0] <= start and not source[span[1] : start].strip()


def _whole(field: Field) -> Span:
    return field.map.to_source(0, field.map.length)


def _key(source: str, fields: list[Field], findings: list[Finding]) -> str:
    parts = [part for field in fields if field.kind != "label" for part in (field.kind, field.role or "", field.text)]
    if not parts or any(FINDINGS[finding.kind][0] for finding in findings):
        parts += ["source", source]
    said = "".join(f"{len(part)}:{part}" for part in parts)
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
