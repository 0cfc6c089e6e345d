"""What a line of search asks for: words of the text, labels, predictions, findings, confidence."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from saliscope.tui.data.verdict import Verdict

_FIELDS: Final = {"label": "label", "gold": "label", "pred": "predicted", "predicted": "predicted",
                  "found": "finding", "finding": "finding"}  # fmt: skip
_CONFIDENCE: Final = re.compile(r"(?:conf|confidence)([<>])=?(\d*\.?\d+)(%?)")
HELP: Final = "words of the text, or label:x pred:x found:mismatch conf<0.6"


class Terms(NamedTuple):
    """All of them must hold; words and names are in lower case."""

    words: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    most: float = 1.0
    least: float = 0.0

    @property
    def reads(self) -> bool:
        """Whether rows must be read to tell."""
        return bool(self.words or self.labels)

    @property
    def judges(self) -> bool:
        """Whether only rows can match of which the model has said something."""
        return bool(self.predicted or self.findings or self.most < 1.0 or self.least > 0.0)


def read_terms(line: str) -> Terms:
    """What a line asks for; words in quotes stand together."""
    found: dict[str, list[str]] = {"words": [], "label": [], "predicted": [], "finding": []}
    most, least = 1.0, 0.0
    for quoted, word in re.findall(r'"([^"]*)"?|(\S+)', line.lower()):
        if quoted or not word:
            found["words"].append(quoted)
            continue
        name, colon, value = word.partition(":")
        compared = _CONFIDENCE.fullmatch(word)
        if colon and value and name in _FIELDS:
            found[_FIELDS[name]].append(value)
        elif compared is not None:
            share = float(compared[2]) / (100 if compared[3] else 1)
            most, least = (min(most, share), least) if compared[1] == "<" else (most, max(least, share))
        else:
            found["words"].append(word)
    words = tuple(filter(None, found["words"]))
    return Terms(words, tuple(found["label"]), tuple(found["predicted"]), tuple(found["finding"]), most, least)


def fits_text(terms: Terms, text: str, label: str) -> bool:
    """Whether what stands in a row matches."""
    low, name = text.lower(), label.lower()
    return all(word in low for word in terms.words) and all(wanted in name for wanted in terms.labels)


def fits_verdict(terms: Terms, verdict: Verdict | None) -> bool:
    """Whether what is known of a row matches; what is not known matches only where nothing of it is asked for."""
    if not terms.judges:
        return True
    if verdict is None:
        return False
    said, share = verdict.predicted.lower(), verdict.share
    return (
        all(wanted in said for wanted in terms.predicted)
        and all(any(wanted in kind for kind in verdict.findings) for wanted in terms.findings)
        and (terms.most == 1.0 or (share is not None and share <= terms.most))
        and (terms.least == 0.0 or (share is not None and share >= terms.least))
    )
