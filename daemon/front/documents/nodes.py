"""What JSON, YAML and tables have in common for those who make records of them: values that know where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from saliscope.daemon.front.documents.mapping import SourceMap


class Node(Protocol):
    """A value and the span of its source."""

    @property
    def value(self) -> object:
        """The value in plain Python."""

    @property
    def start(self) -> int:
        """Where it begins in the source."""

    @property
    def end(self) -> int:
        """Where it ends in the source."""

    def members(self) -> Sequence[tuple[str, Node]]:
        """The entries of a map, in the order of the source; the last of equal names counts."""

    def elements(self) -> Sequence[Node]:
        """The entries of a list."""

    def spelling(self) -> SourceMap | str:
        """Where the characters of a string stand, or why that could not be proved."""
