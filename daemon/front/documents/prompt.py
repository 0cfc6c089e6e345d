"""Prompt files: the text below the front matter, or the messages of a chat where lines name roles."""

from __future__ import annotations

import re
from typing import Final

from saliscope.daemon.front.documents.front_matter import front_matter
from saliscope.daemon.front.documents.lines import plain_record, visible
from saliscope.daemon.front.documents.mapping import SourceMap
from saliscope.daemon.front.documents.record import Field, Finding, Placed, make_record
from saliscope.daemon.front.documents.shaping import Names, unknown_role
from saliscope.protocol.fields import ROLES

#: `user:` alone on its line, or `{{role "user"}}` anywhere.
_ROLE: Final = re.compile(
    rf"""^[ \t]*\#?[ \t]*(?P<line>{"|".join(ROLES)}):[ \t]*$"""
    r"""|\{\{\s*role\s+["'](?P<tag>[^"'\r\n]*)["']\s*\}\}""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


def parse_prompt(text: str, first: bool, names: Names) -> list[Placed]:
    """One record: the prompt, or its chat; what stands before the first role is the system's message."""
    begin, end = front_matter(text), len(text.rstrip())
    begin += len(text[begin:]) - len(text[begin:].lstrip())
    if begin >= end:
        return []
    # Line ends as the pattern knows them, without moving anything.
    marks = list(_ROLE.finditer(text.replace("\r", "\n"), begin, end))
    if not marks:
        return [plain_record(text, (begin, end))]
    fields: list[Field] = []
    findings: list[Finding] = []
    stops = [*(mark.start() for mark in marks[1:]), end]
    turns = [("system", begin, marks[0].start())]
    for mark, stop in zip(marks, stops, strict=True):
        role = (mark["line"] or mark["tag"] or "").lower()
        if role not in ROLES:
            findings.append(unknown_role(f"messages[{len(turns) - 1}]", role, mark.span()))
        turns.append((role, mark.end(), stop))
    for role, start, stop in turns:
        low, high = visible(text[start:stop], False)
        if low < high:
            words = text[start + low : start + high]
            place = SourceMap.straight(start + low, high - low)
            fields.append(Field("message", f"messages[{len(fields)}].content", words, place, role))
    if not fields:
        findings.append(Finding("empty", "no message has anything visible", (begin, end)))
    return [make_record(text, (begin, end), fields, findings)]
