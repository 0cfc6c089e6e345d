"""The scalar that is explained: which outputs, on which scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from saliscope.explainers.errors import BadRequest, listing

Kind = Literal["class", "next-token"]
"""The head that is read."""
TargetKind = Literal["class", "contrast", "next-token", "label-words", "continuation", "contrast-continuation"]
Scale = Literal["logit", "margin", "logprob", "prob", "loss"]
SCALES: Final[tuple[Scale, ...]] = get_args(Scale)
HEADS: Final[tuple[Kind, ...]] = get_args(Kind)
KINDS: Final[tuple[TargetKind, ...]] = get_args(TargetKind)
DEFAULT_SCALE: Final[Mapping[TargetKind, Scale]] = {
    "class": "logit",
    "contrast": "logit",
    "next-token": "logprob",
    "label-words": "margin",
    "continuation": "logprob",
    "contrast-continuation": "logprob",
}
FOLLOWING: Final[tuple[TargetKind, ...]] = ("continuation", "contrast-continuation")
"""Kinds that read what follows the text, so that no position of the text itself holds their value."""
READ_AT_ONCE: Final[tuple[TargetKind, ...]] = tuple(kind for kind in KINDS if kind not in FOLLOWING)
RUNNER_UP: Final = -1
"""Stands for the strongest output beside the one that is explained."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """One number of the model's output: output `index` (None: the likeliest of the row itself) on `scale`.

    With `against` the value of that output is taken off. `groups` make new outputs of the head's own, each the
    logsumexp of its members. With a `tail` it is the value of these token ids read one after another behind the text,
    of all together or of a `part` of them (from, to); `index` means nothing then.
    """

    kind: Kind
    index: int | None
    scale: Scale
    against: int | None = None
    groups: tuple[tuple[int, ...], ...] = ()
    tail: tuple[int, ...] = ()
    part: tuple[int, int] | None = None

    def at(self, index: int, against: int | None = None) -> Scalar:
        """The same scalar, for this output (and this other one, where there is one to take off)."""
        return replace(self, index=index, against=None if self.against is None else against)

    @property
    def is_open(self) -> bool:
        """Whether an output is still to be chosen before there is one value."""
        return not self.reads_every and (self.index is None or self.against == RUNNER_UP)

    @property
    def reads_every(self) -> bool:
        """Whether all outputs can be had at once: they are classes, and none is taken off another."""
        return (self.kind == "class" or bool(self.groups)) and self.against is None


@dataclass(frozen=True, slots=True)
class Target:
    """A resolved target: output `index` of `kind`, called `label`, and what it is held `against`."""

    kind: TargetKind
    label: str
    index: int
    against: str | None = None


def kinds_of(heads: tuple[Kind, ...], num_labels: int) -> tuple[TargetKind, ...]:
    """The kinds of target that a model with these heads answers, the default first."""
    found: list[TargetKind] = [*heads]
    if "next-token" in heads or num_labels > 1:
        found.append("contrast")
    if "next-token" in heads:
        found += ["label-words", "continuation", "contrast-continuation"]
    return tuple(found)


def parse_scale(asked: str | None, kind: TargetKind) -> Scale:
    """The scale asked for, or the default of the target's kind."""
    if asked is None:
        return DEFAULT_SCALE[kind]
    for scale in SCALES:
        if scale == asked:
            return scale
    raise BadRequest(f"scale {asked!r} is none of {listing(SCALES)}")


def find_label(label: str | int, labels: tuple[str, ...], what: str = "target") -> int:
    """The index of a class given by name (case does not matter) or by index."""
    if isinstance(label, int):
        if 0 <= label < len(labels):
            return label
        raise BadRequest(f"{what}: class {label} is out of range; there are {_described(labels)}")
    folded = [name.casefold() for name in labels]
    if label.casefold() in folded:
        return folded.index(label.casefold())
    if label.isdecimal() and len(label) <= len(str(len(labels))) and int(label) < len(labels):
        return int(label)
    hint = _hint(label, labels)
    raise BadRequest(f"{what}: {label!r} is not a label of this model; it has {_described(labels)}{hint}")


def _hint(label: str, labels: tuple[str, ...]) -> str:
    """What may have been meant by something with a colon in it, which looks like a kind of target."""
    before, colon, rest = label.partition(":")
    if not colon:
        return ""
    plain = {name.casefold(): name for name in labels}.get(rest.strip().casefold())
    if plain is not None:
        return f"; did you mean {plain!r} alone?"
    return f"; {before!r} is no kind of target either: those are {listing(KINDS)}"


def _described(labels: tuple[str, ...]) -> str:
    return listing(f"{name} ({index})" for index, name in enumerate(labels))
