"""The scalar that is explained: which output, on which scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from saliscope.explainers.errors import BadRequest, NotCapable, listing

Kind = Literal["class", "next-token"]
Scale = Literal["logit", "margin", "logprob", "prob", "loss"]
SCALES: Final[tuple[Scale, ...]] = get_args(Scale)
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DEFAULT_SCALE: Final[Mapping[Kind, Scale]] = {"class": "logit", "next-token": "logprob"}
PREDICTED: Final = "predicted"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number of the model's output: output `index` (None: the likeliest of the row itself) on `scale`."""

    kind: Kind
    index: int | None
    scale: Scale

    def at(self, index: int) -> Scalar:
        """The same scalar, for this output."""
        return replace(self, index=index)


@dataclass(frozen=True, slots=True)
class Target:
    """A resolved target: output `index` of `kind`, called `label`."""

    kind: Kind
    label: str
    index: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A target as asked: `label` is a name, an index, or None for what the model predicts."""

    kind: Kind
    label: str | int | None = None


def parse_target(asked: object, kinds: tuple[Kind, ...]) -> Wish:
    """Read a target given as None, a label, an index, or `{"kind": …, "label": …}`.

    `kinds` are the model's own, the default first; a kind outside them is `NotCapable`.
    """
    if asked is None or (isinstance(asked, str | int) and not isinstance(asked, bool)):
        if isinstance(asked, str) and asked in KINDS and asked in kinds:
            return Wish(asked)
        return Wish(kinds[0], None if asked == PREDICTED else asked)
    if isinstance(asked, Mapping):
        return _parse_map(asked, kinds)
    raise BadRequest("target: expected a label, an index or {kind, label}")


def _parse_map(asked: Mapping[Any, Any], kinds: tuple[Kind, ...]) -> Wish:
    kind, label = asked.get("kind", kinds[0]), asked.get("label")
    if kind not in KINDS:
        raise BadRequest(f"target.kind {kind!r} is none of {listing(KINDS)}")
    if kind not in kinds:
        raise NotCapable(f"target {kind!r} does not fit this model; it answers {listing(kinds)}")
    if label is not None and (isinstance(label, bool) or not isinstance(label, str | int)):
        raise BadRequest("target.label: expected a name, an index or nothing")
    return Wish(kind, None if label == PREDICTED else label)


def parse_scale(asked: str | None, kind: Kind) -> Scale:
    """The scale asked for, or the default of the target's kind."""
    if asked is None:
        return DEFAULT_SCALE[kind]
    for scale in SCALES:
        if scale == asked:
            return scale
    raise BadRequest(f"scale {asked!r} is none of {listing(SCALES)}")


def find_label(label: str | int, labels: tuple[str, ...]) -> int:
    """The index of a class given by name (case does not matter) or by index."""
    if isinstance(label, int):
        if 0 <= label < len(labels):
            return label
        raise BadRequest(f"target: class {label} is out of range; the model has {_described(labels)}")
    folded = [name.casefold() for name in labels]
    if label.casefold() in folded:
        return folded.index(label.casefold())
    if label.isdecimal() and len(label) <= len(str(len(labels))) and int(label) < len(labels):
        return int(label)
    raise BadRequest(f"target: {label!r} is not a label of this model; it has {_described(labels)}")


def _described(labels: tuple[str, ...]) -> str:
    return listing(f"{name} ({index})" for index, name in enumerate(labels))
