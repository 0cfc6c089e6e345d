"""YAML with positions: PyYAML's marks say where values stand, `yaml_scalars` where their characters do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import yaml

from saliscope.daemon.front.documents.mapping import SourceMap
from saliscope.daemon.front.documents.yaml_scalars import scalar_map

#: Maps and lists within each other.
DEEPEST: Final = 64

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML has it: a hundred times faster, and a little stricter with tabs."""


class YamlError(Exception):
    """A source that is no YAML, and where."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class YamlNode:
    """A value as `yaml.safe_load` gives it, and the node that PyYAML made of it."""

    source: str
    value: Any
    node: Any

    @property
    def start(self) -> int:
        """Where it begins in the source."""
        return int(self.node.start_mark.index)

    @property
    def end(self) -> int:
        """Where it ends, without the blanks that PyYAML counts in."""
        end = int(self.node.end_mark.index)
        return self.start + len(self.source[self.start : end].rstrip())

    def members(self) -> list[tuple[str, YamlNode]]:
        """The entries of a map whose keys are strings."""
        if not isinstance(self.value, dict) or not isinstance(self.node, yaml.MappingNode):
            return []
        named = [(key.value, value) for key, value in self.node.value if isinstance(key, yaml.ScalarNode)]
        return [(name, YamlNode(self.source, self.value[name], node)) for name, node in named if name in self.value]

    def elements(self) -> list[YamlNode]:
        """The entries of a list."""
        if not isinstance(self.value, list) or not isinstance(self.node, yaml.SequenceNode):
            return []
        pairs = zip(self.value, self.node.value, strict=True)
        return [YamlNode(self.source, value, node) for value, node in pairs]

    def spelling(self) -> SourceMap | str:
        """Where the characters of a string stand."""
        end = int(self.node.end_mark.index)
        found = scalar_map(self.source, self.start, end, self.node.style, self.value)
        return found or "the source, read by positions, does not say what PyYAML reads in it"


def parse_yaml(source: str) -> Iterator[YamlNode]:
    """The documents of a YAML source, one after another; YamlError where it breaks."""
    _check(source)
    loader = LOADER(source)
    try:
        while loader.check_node():
            node = loader.get_node()
            yield YamlNode(source, _construct(loader, node), node)
    except (yaml.YAMLError, ValueError) as error:
        raise _error(error) from error
    finally:
        loader.dispose()


def _construct(loader: Any, node: Any) -> Any:
    """The value of a node; what PyYAML stumbles over (`!!bool x`, `!!timestamp x`) is no YAML either."""
    try:
        return loader.construct_document(node)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        raise YamlError("a value is not what its tag says", node.start_mark.index) from error


def _check(source: str) -> None:
    """Refuse what is nested so deep that the composer, which calls itself, would not come back from it."""
    depth = 0
    try:
        for event in yaml.parse(source, Loader=LOADER):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > DEEPEST:
                raise YamlError(f"more than {DEEPEST} lists and maps within each other", event.start_mark.index)
    except (yaml.YAMLError, ValueError):
        # It comes again when the documents are composed, behind those that stand before it.
        return


def _error(error: Exception) -> YamlError:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return YamlError(error.problem or error.context or "no YAML", mark.index if mark else 0)
    at = getattr(error, "position", None)
    return YamlError(getattr(error, "reason", None) or str(error), at if isinstance(at, int) else 0)
