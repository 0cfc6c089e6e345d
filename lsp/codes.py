"""The diagnostics in one table: how loud each is, whether it is on, and what it means."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from lsprotocol import types

from saliscope.protocol.findings import FINDINGS, FindingKind

WARNING: Final = types.DiagnosticSeverity.Warning
INFORMATION: Final = types.DiagnosticSeverity.Information
PAGE: Final = Path(__file__).with_name("diagnostics.md")


class Code(NamedTuple):
    """One kind of diagnostic."""

    severity: types.DiagnosticSeverity
    is_on: bool
    meaning: str


def _of(kind: FindingKind, severity: types.DiagnosticSeverity, *, is_on: bool = True, more: str = "") -> Code:
    return Code(severity, is_on, FINDINGS[kind][1] + more)


#: kind of a finding -> code, where it is another word.
NAMES: Final[dict[str, str]] = {"mismatch": "mispredicted"}

CODES: Final[dict[str, Code]] = {
    "mispredicted": _of("mismatch", WARNING),
    "truncated": _of("truncated", INFORMATION),
    "low-margin": _of("low-margin", INFORMATION, is_on=False),
    "shortcut": _of("shortcut", INFORMATION, is_on=False),
    "broken": _of("broken", WARNING),
    "ragged": _of("ragged", WARNING),
    "no-text": _of("no-text", INFORMATION, more=" Not said of JSON and YAML files in which nothing is a text."),
    "not-text": _of("not-text", INFORMATION),
    "empty": _of("empty", INFORMATION),
    "not-unicode": _of("not-unicode", INFORMATION),
    "not-explained": _of("not-explained", INFORMATION),
    "not-a-label": _of("not-a-label", INFORMATION),
    "unknown-role": _of("unknown-role", INFORMATION),
    "duplicate": _of("duplicate", INFORMATION, is_on=False),
    "failed": _of("failed", WARNING),
    "too-large": Code(INFORMATION, True, "The document is over a limit, and is not explained."),
    "refused": Code(WARNING, True, "Nothing can be explained with these settings; the message says why."),
}  # fmt: skip

#: Codes of records; the others are of a whole document.
OF_RECORDS: Final = frozenset(NAMES.get(kind, kind) for kind in FINDINGS)


def link(code: str) -> str:
    """Where a code is explained: on the page that is installed beside this file."""
    return f"{PAGE.as_uri()}#{code}"


def page() -> str:
    """The page itself; a test compares."""
    switch = "Each can be switched: `saliscope.diagnostics` is a map from code to true or false."
    lines = ["# Diagnostics", "", switch, ""]
    for name, code in CODES.items():
        loud = "a warning" if code.severity == WARNING else "an information"
        lines += [f"## {name}", "", f"{code.meaning} It is {loud}, {'on' if code.is_on else 'off'} by default.", ""]
    return "\n".join(lines[:-1]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
