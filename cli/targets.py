"""How the command line names targets."""

from __future__ import annotations

from saliscope.protocol.explanation import TargetInfo
from saliscope.render import labels


def target_name(target: TargetInfo) -> str:
    """A target as people read it, on one line; a contrast names both sides."""
    return labels.target_name(target.kind, target.label, target.against)
