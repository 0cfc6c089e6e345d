"""What may be wrong with a record of a document, in one table."""

from __future__ import annotations

from typing import Final, Literal

FindingKind = Literal[
    "broken", "ragged", "no-text", "not-text", "empty", "not-unicode", "not-explained", "not-a-label", "unknown-role",
    "duplicate", "mismatch", "low-margin", "truncated", "shortcut", "failed",
]  # fmt: skip

#: kind -> (whether the record is left unexplained, what it means)
FINDINGS: Final[dict[FindingKind, tuple[bool, str]]] = {
    "broken": (True, "The record is not what its format says: no JSON, a quote that never closes, no YAML."),
    "ragged": (False, "The row has more or fewer cells than the header."),
    "no-text": (True, "No field is known as the text; name it with `field` in `saliscope.toml`."),
    "not-text": (True, "The field of the text is a number, a list, …"),
    "empty": (True, "The text has nothing visible."),
    "not-unicode": (True, "The text has half of a surrogate pair, which no tokenizer reads."),
    "not-explained": (True, "Where the characters of the text stand in the source could not be proved."),
    "not-a-label": (False, "The label is neither a name nor a number; the record is explained without it."),
    "unknown-role": (False, "A message has a role that chat templates rarely know."),
    "duplicate": (False, "Another record of the document has the same text."),
    "mismatch": (False, "The model predicts another class than the label."),
    "low-margin": (False, "The first two classes are nearly as likely as each other; see `low-margin`."),
    "truncated": (False, "The model reads no further than here."),
    "shortcut": (False, "One token is the strongest in many records of a class; see `shortcut`. Off without it."),
    "failed": (False, "The model could not explain the record; the message says why."),
}
