"""What a classification head says of itself: its classes by name, and what its raw outputs mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from saliscope.explainers.targets.scales import Activation

NAMELESS = re.compile(r"LABEL_\d+")
"""What transformers calls a class that nobody named."""


@dataclass(frozen=True, slots=True)
class Labelling:
    """The classes `labels` of raw outputs read by `activation`.

    `both_ways` says that the head has one output z, and that the classes are it and its negation, [z, -z].
    """

    labels: tuple[str, ...]
    activation: Activation
    both_ways: bool = False


def read_labelling(config: Any) -> Labelling:
    """The labelling of a configuration.

    One output is a number of its own (regression) if the configuration says so, or names neither the problem nor the
    class, as transformers trains it; else it is the log-odds of its class.
    """
    labels = distinct(str(config.id2label[i]) for i in range(config.num_labels))
    if config.num_labels == 1:
        nameless = config.problem_type is None and NAMELESS.fullmatch(labels[0]) is not None
        if config.problem_type == "regression" or nameless:
            return Labelling(labels, "identity")
        return both_ways(labels[0])
    several = config.problem_type == "multi_label_classification"
    return Labelling(labels, "sigmoid" if several else "softmax")


def both_ways(label: str) -> Labelling:
    """One output as two classes: its label, and "not" that label with the sign flipped."""
    return Labelling((label, f"not {label}"), "sigmoid", both_ways=True)


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """The same names, each with its index where another class has it already: "x", "x (1)"."""
    wanted = list(names)
    found: list[str] = []
    for index, name in enumerate(wanted):
        other = name
        while other in found or (other != name and other in wanted):
            other = f"{other} ({index})"
        found.append(other)
    return tuple(found)
