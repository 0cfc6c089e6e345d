"""Labels and targets as people read them."""

from __future__ import annotations

from saliscope.render.text import one_line


def target_name(kind: str, label: str, against: str | None = None) -> str:
    """A target as people read it, on one line: spaces at the ends of what is to follow show, as they make a difference.

    A contrast names both sides.
    """
    names = [name for name in (label, against) if name is not None]
    return " rather than ".join(one_line(shown_label(kind, name)) for name in names)


def shown_label(kind: str, label: str) -> str:
    """A label as people read it: the spaces of a token show, and those at the ends of a continuation."""
    if kind == "next-token":
        return label.replace(" ", "␣")
    if kind not in ("continuation", "contrast-continuation"):
        return label
    inner = label.strip(" ")
    before = len(label) - len(label.lstrip(" "))
    return "␣" * before + inner + "␣" * (len(label) - before - len(inner))
