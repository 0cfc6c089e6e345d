"""What the model is asked about a record."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from saliscope.daemon.front.documents.record import Label, Record
from saliscope.daemon.front.live.agenda import Item
from saliscope.protocol.documents import DocumentOptions
from saliscope.protocol.parameters import Explain, Predict, Target

#: The target of an option that means the record's own label.
GOLD: Final = "gold"
#: Options that say how records are found, and what is told of them.
_NOT_ASKED: Final = frozenset({"format", "language", "field", "pair", "label", "low_margin", "shortcut"})


def question(options: DocumentOptions, record: Record, item: Item, supersede: str) -> tuple[str, dict[str, Any]]:
    """A request for a stage of a record, and its parameters; of those with the same `supersede` the newest counts."""
    if item.stage == "prediction":
        texts = {"texts" if name == "text" else name: value for name, value in record.input.items()}
        return "predict", _said(
            Predict(
                **texts,
                model=options.model,
                priority=item.priority,
                max_ms=options.max_ms,
                max_rows=options.max_rows,
                supersede=supersede,
            )
        )
    is_chosen = item.stage == "method" or options.method is None
    return "explain", _said(
        Explain(
            **record.input,
            model=options.model,
            method=options.method if is_chosen else None,
            target=_gold(record.label) if options.target == GOLD else options.target,
            scale=options.scale,
            granularity=options.granularity,
            seed=options.seed,
            params=options.params if is_chosen else {},
            windows=options.windows,
            stream=is_chosen,
            priority=item.priority,
            max_ms=options.max_ms,
            max_rows=options.max_rows,
            supersede=supersede,
        )
    )


def is_predicted_first(options: DocumentOptions) -> bool:
    """Whether what is explained is what `predict` tells: the model's own outputs, of a text that is read at once."""
    target = options.target
    return options.windows == "cut" and (not isinstance(target, Target) or target.kind in (None, "class"))


def asks_alike(one: DocumentOptions, other: DocumentOptions) -> bool:
    """Whether both ask the same of the model about a record, however they find it and whatever they tell of it."""
    asked = (name for name in DocumentOptions.__struct_fields__ if name not in _NOT_ASKED)
    return all(getattr(one, name) == getattr(other, name) for name in asked)


def _said(asked: Explain | Predict) -> dict[str, Any]:
    """The parameters of a request, without what says nothing."""
    plain = msgspec.to_builtins(asked)
    return {name: value for name, value in plain.items() if value is not None or name in ("text", "texts")}


def _gold(label: Label | None) -> Target | None:
    """The class of a label, whatever it is called; the model's own target for a record without one."""
    return None if label is None else Target("class", label)
