"""From values to records: which field is the text, the pair, the label, the messages of a chat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from saliscope.daemon.front.documents.mapping import Span
from saliscope.daemon.front.documents.nodes import Node
from saliscope.daemon.front.documents.record import (
    Field,
    FieldKind,
    Finding,
    Label,
    Placed,
    has_surrogate,
    make_record,
)
from saliscope.protocol.fields import LABEL_FIELDS, LIST_FIELDS, MESSAGE_FIELDS, PAIR_FIELDS, ROLES, TEXT_FIELDS

#: Labels that are numbers; what is larger cannot travel.
_NUMBERS: Final = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of fields that somebody chose; None: the first known one that is there."""

    text: str | None = None
    pair: str | None = None
    label: str | None = None


def shape_document(source: str, root: Node, names: Names) -> list[Placed]:
    """The records of a whole JSON or YAML document: each entry of its list, or the document itself."""
    listed = _list_of(root, names)
    return [shape_record(source, entry, names) for entry in ([root] if listed is None else listed.elements())]


def _list_of(root: Node, names: Names) -> Node | None:
    """The list of records that a document is, or that a map without a text of its own holds under a known name."""
    if isinstance(root.value, list):
        return None if _is_chat(root.value) else root
    cells = dict(root.members())
    if _has_text(root.value, names):
        return None
    folded = {name.casefold(): name for name in cells}
    lists = (cells[folded[name]] for name in LIST_FIELDS if name in folded)
    return next((node for node in lists if isinstance(node.value, list) and _holds_texts(node.value, names)), None)


def _holds_texts(values: Sequence[object], names: Names) -> bool:
    return not _is_chat(values) and any(isinstance(value, str) or _has_text(value, names) for value in values)


def _has_text(value: object, names: Names) -> bool:
    if not isinstance(value, dict):
        return False
    folded = {name.casefold(): name for name in value if isinstance(name, str)}
    chat = choose(folded, names.text, MESSAGE_FIELDS)
    return choose(folded, names.text, TEXT_FIELDS) is not None or (chat is not None and isinstance(value[chat], list))


def shape_record(source: str, node: Node, names: Names) -> Placed:
    """One record of one value: a string, a map of fields, or the messages of a chat."""
    span = (node.start, node.end)
    if isinstance(node.value, dict):
        fields, label, findings = shape_fields(node.members(), span, names)
        return make_record(source, span, fields, findings, label)
    if isinstance(node.value, list):
        fields, findings = _messages("", node)
    else:
        fields, findings = _text("text", "text", node)
    return make_record(source, span, fields, findings)


def shape_fields(
    members: Iterable[tuple[str, Node]], span: Span, names: Names
) -> tuple[list[Field], Label | None, list[Finding]]:
    """The fields of a map or of a row of a table, its label, and what is wrong, in the positions of the source."""
    cells = dict(members)
    folded = {name.casefold(): name for name in cells}
    text_name = choose(folded, names.text, TEXT_FIELDS)
    chat_name = choose(folded, names.text, MESSAGE_FIELDS)
    fields: list[Field] = []
    findings: list[Finding] = []
    if chat_name is not None and isinstance(cells[chat_name].value, list):
        fields, findings = _messages(chat_name, cells[chat_name])
    elif text_name is None:
        has = ", ".join(map(str, cells)) or "none"
        wanted = f"no field {names.text}" if names.text else "no field known as the text"
        findings = [Finding("no-text", f"{wanted}; it has {has}", span)]
    else:
        fields, findings = _text("text", text_name, cells[text_name])
        pair_name = choose(folded, names.pair, PAIR_FIELDS.get(text_name.casefold(), ()))
        if pair_name is not None and pair_name != text_name:
            more, wrong = _text("pair", pair_name, cells[pair_name])
            fields += more
            findings += wrong
    label_name = choose(folded, names.label, LABEL_FIELDS)
    label = None
    if label_name is not None:
        label, own, wrong = _label(label_name, cells[label_name])
        fields += own
        findings += wrong
    return fields, label, findings


def choose(folded: Mapping[str, str], wanted: str | None, known: Sequence[str]) -> str | None:
    """The name that is asked for if it is there; without one the first known, in whatever case it is written.

    `folded` has the names that are there, by themselves without case.
    """
    if wanted is not None:
        return wanted if wanted in folded.values() else None
    return next((folded[name] for name in known if name in folded), None)


def _text(kind: FieldKind, name: str, node: Node, role: str | None = None) -> tuple[list[Field], list[Finding]]:
    span = (node.start, node.end)
    if not isinstance(node.value, str):
        return [], [Finding("not-text", f"{name} is {said(node.value)}, not a text", span)]
    found = node.spelling()
    if isinstance(found, str):
        return [], [Finding("not-explained", f"{name}: {found}", span)]
    return [Field(kind, name, node.value, found, role)], []


def _label(name: str, node: Node) -> tuple[Label | None, list[Field], list[Finding]]:
    value = node.value
    if value is None or value == "":
        return None, [], []
    if isinstance(value, str) and not has_surrogate(value):
        found = node.spelling()
        return value, [] if isinstance(found, str) else [Field("label", name, value, found)], []
    if isinstance(value, bool):
        return str(value).lower(), [], []
    if isinstance(value, float) and value.is_integer():
        # Tables with gaps have their numbers written as 1.0.
        value = int(value)
    if isinstance(value, int) and value in _NUMBERS:
        return value, [], []
    if isinstance(value, int):
        message = f"{name} is a number of more than 64 bits"
    elif isinstance(value, str):
        message = f"{name} has half of a surrogate pair"
    else:
        message = f"{name} is {said(value)}, neither a name nor a whole number"
    return None, [], [Finding("not-a-label", message, (node.start, node.end))]


def _is_chat(values: Sequence[object]) -> bool:
    return bool(values) and all(
        isinstance(value, dict) and ("role" in value or "from" in value) and ("content" in value or "value" in value)
        for value in values
    )


def _messages(name: str, node: Node) -> tuple[list[Field], list[Finding]]:
    fields: list[Field] = []
    findings: list[Finding] = []
    entries = node.elements()
    if not entries:
        findings.append(Finding("empty", f"{name or 'the list'} has no message", (node.start, node.end)))
    for number, entry in enumerate(entries):
        cells = dict(entry.members())
        content = cells.get("content", cells.get("value"))
        role = cells.get("role", cells.get("from"))
        place = f"{name}[{number}]"
        if content is None or role is None or not isinstance(role.value, str):
            message = f"{place} is no message: it takes a role and a content"
            findings.append(Finding("not-text", message, (entry.start, entry.end)))
            continue
        if has_surrogate(role.value):
            span = (role.start, role.end)
            findings.append(Finding("not-unicode", f"{place}: half of a surrogate pair in the role", span))
        elif role.value not in ROLES:
            findings.append(unknown_role(place, role.value, (role.start, role.end)))
        own, wrong = _text("message", f"{place}.content", content, role.value)
        fields += own
        findings += wrong
    return fields, findings


def unknown_role(place: str, role: str, span: Span) -> Finding:
    """The finding of a role that is none of the known."""
    return Finding("unknown-role", f"{place}: the role {role!r} is none of {', '.join(ROLES)}", span)


def said(value: object) -> str:
    """The kind of a value in words."""
    words = {dict: "a map", list: "a list", bool: "true or false", int: "a number", float: "a number", str: "a text"}
    return "nothing" if value is None else words.get(type(value), "a " + type(value).__name__)
