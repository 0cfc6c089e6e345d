"""The texts of an evaluation with their labels, as people give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from saliscope.explainers.errors import BadRequest, listing
from saliscope.explainers.facts import ModelFacts
from saliscope.explainers.targets.scalar import find_label


@dataclass(frozen=True, slots=True)
class Item:
    """One text and the index of its label, if it has one."""

    text: str
    gold: int | None


def read_items(records: Sequence[Any], facts: ModelFacts) -> tuple[Item, ...]:
    """Texts, pairs (text, label) or maps with `text` and `label`; labels that are not the model's are `BadRequest`."""
    if not records:
        raise BadRequest("records: there is none; give at least one text")
    items: list[Item] = []
    unknown: dict[str, int] = {}
    for number, record in enumerate(records):
        text, label = _text_and_label(record, number)
        gold = None
        if label is not None and facts.kinds[0] != "class":
            raise BadRequest(f"records: {facts.name} has no classes, so texts cannot have labels; leave them out")
        if label is not None:
            try:
                gold = find_label(label, facts.labels)
            except BadRequest:
                unknown[str(label)] = unknown.get(str(label), 0) + 1
        items.append(Item(text, gold))
    if unknown:
        found = listing(f"{label!r} ({count} texts)" for label, count in unknown.items())
        raise BadRequest(f"records: these labels are none of {facts.name}: {found}; it has {listing(facts.labels)}")
    return tuple(items)


def _text_and_label(record: Any, number: int) -> tuple[str, str | int | None]:
    text, label = record, None
    if isinstance(record, Mapping):
        text, label = record.get("text"), record.get("label")
    elif isinstance(record, tuple | list) and len(record) == 2:
        text, label = record
    if not isinstance(text, str):
        raise BadRequest(f"records[{number}]: expected a text, a pair (text, label) or a map with text and label")
    if isinstance(label, np.integer):
        label = int(label)
    if label is not None and (isinstance(label, bool) or not isinstance(label, str | int)):
        raise BadRequest(f"records[{number}].label: expected a name or an index, got {label!r}")
    return text, label
