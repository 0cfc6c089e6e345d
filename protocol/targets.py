"""Targets as people type them."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Any, Final

from saliscope.protocol.errors import SaliscopeError

#: What may be typed beside a label or an index.
FORMS: Final = (
    "next-token[:TEXT|:#ID]",
    "contrast[:LABEL vs LABEL]",
    "label-words:LABEL=WORD,WORD;LABEL=WORD",
    "continuation[:TEXT]",
    "contrast-continuation:TEXT vs TEXT",
    '{"kind": …}',
)
#: The form of each kind that has one.
_FORM_OF: Final = {form.partition("[")[0].partition(":")[0]: form for form in FORMS[:-1]}
#: How alike a word before a colon and a kind are, so that the kind was meant and not a label with a colon in it.
_ALIKE: Final = 0.8
_VERSUS: Final = " vs "


def read_target(target: str | None) -> Any:
    """A label or index as it is; the forms of `FORMS` as the target of that kind.

    What is nearly the name of a kind is `bad_request`; a label that looks so is written `{"label": …}`.
    """
    if target is not None and target.startswith("{"):
        return _read_json(target)
    kind, colon, rest = (target or "").partition(":")
    if colon and not rest and kind in ("next-token", "contrast", "label-words", "continuation"):
        raise _wrong_kind(f"target: nothing follows `{kind}:`; expected {_FORM_OF[kind]}")
    match kind:
        case "next-token":
            is_id = rest.startswith("#") and rest[1:].isdecimal() and len(rest) < 12
            return {"kind": kind, "label": int(rest[1:]) if is_id else rest or None}
        case "contrast":
            label, against = _two(rest, required=False)
            return {"kind": kind, "label": label, "against": against}
        case "continuation":
            return {"kind": kind, "text": rest or None}
        case "contrast-continuation":
            text, against = _two(rest, required=True)
            return {"kind": kind, "text": text, "against": against}
        case "label-words":
            return {"kind": kind, "labels": _labels(rest)}
    meant = get_close_matches("-".join(kind.lower().replace("_", " ").split()), _FORM_OF, n=1, cutoff=_ALIKE)
    if colon and meant:
        raise _wrong_kind(f"target: there is no kind `{kind}`; did you mean {_FORM_OF[meant[0]]}?")
    return target


def _wrong_kind(said: str) -> SaliscopeError:
    """What is wrong and what was meant, before all that there is."""
    end = "" if said.endswith("?") else "."
    everything = f"{said}{end} Beside a label of the model it may be {', '.join(FORMS)}"
    return SaliscopeError("bad_request", everything, {"short": said})


def _read_json(target: str) -> Any:
    try:
        return json.loads(target)
    except ValueError as error:
        raise SaliscopeError("bad_request", f"target: this is not JSON ({error})") from error


def _two(rest: str, *, required: bool) -> tuple[str | None, str | None]:
    label, versus, against = rest.partition(_VERSUS)
    if required and not (versus and label and against):
        raise SaliscopeError("bad_request", f"target: expected two texts with `{_VERSUS.strip()}` between them")
    return label or None, against or None


def _labels(rest: str) -> dict[str, list[str]]:
    """`good=good,great;bad=bad` as a map."""
    found = {}
    for part in rest.split(";"):
        label, equals, words = part.partition("=")
        if not equals or not label.strip():
            raise SaliscopeError("bad_request", f"target: {part!r} is not LABEL=WORD,WORD")
        found[label.strip()] = [word.strip() for word in words.split(",") if word.strip()]
    return found
