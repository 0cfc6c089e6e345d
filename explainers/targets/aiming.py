"""From a wish to a scalar: labels and words become outputs of the model's heads."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from saliscope.explainers.answers import Answer
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.facts import ModelView
from saliscope.explainers.queries import Query
from saliscope.explainers.targets.generating import generate
from saliscope.explainers.targets.scalar import RUNNER_UP, Scalar, Scale, Target, TargetKind, find_label
from saliscope.explainers.targets.scales import Activation
from saliscope.explainers.targets.wishes import Wish
from saliscope.explainers.texts.encoding import Encoding


@dataclass(frozen=True, slots=True)
class Tails:
    """What is to follow the text: `ids` of each tail, and the `groups` of tails that make one output each.

    An output is the logsumexp of its tails' values on `scale`, which one tail leaves as it is; with a `part` they are
    the values of these tokens of the tail (from, to) alone.
    """

    ids: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[int, ...], ...]
    scale: Scale
    part: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """What is explained: the scalar as methods see it, on the `scale` asked for, and what its outputs are called.

    `names` are those of all outputs, None where they are the vocabulary. With `tails` the outputs are values of what
    follows the text, and no position of it holds them. `warnings` say how a word was read.
    """

    kind: TargetKind
    scalar: Scalar
    scale: Scale
    names: tuple[str, ...] | None
    tails: Tails | None = None
    warnings: tuple[str, ...] = ()

    @property
    def num_rows(self) -> int:
        """How many rows of the model one row of a method takes."""
        return 1 if self.tails is None else len(self.tails.ids)


Aiming = Generator[Query, Answer, Aim]


def demand(model: ModelView, wish: Wish) -> TargetKind:
    """The kind of target that a method must be able to explain: words of several tokens are read as continuations."""
    words = [word for _, group in wish.labels for word in group]
    return "continuation" if any(len(model.continuation(word)) > 1 for word in words) else wish.kind


def reserve(model: ModelView, wish: Wish) -> int:
    """How many tokens of the model's length must be kept free behind the text."""
    if wish.ids:
        return len(wish.ids)
    if wish.kind == "continuation" and wish.text is None:
        return wish.max_tokens
    texts = [text for text in (wish.text, wish.against) if isinstance(text, str) and wish.text is not None]
    words = [word for _, words in wish.labels for word in words]
    return max((len(model.continuation(text)) for text in (*texts, *words)), default=0)


def aiming(model: ModelView, wish: Wish, scale: Scale, encoding: Encoding) -> Aiming:
    """Resolve a wish, asking the model where it is to say itself how the text goes on."""
    match wish.kind:
        case "class":
            index = None if wish.label is None else find_label(wish.label, model.facts.labels)
            return Aim("class", Scalar("class", index, scale), scale, model.facts.labels)
        case "next-token":
            index, warnings = _token(model, wish.label, "target")
            return Aim("next-token", Scalar("next-token", index, scale), scale, None, warnings=warnings)
        case "contrast":
            return _contrast(model, wish, scale)
        case "label-words":
            return _label_words(model, wish, scale)
    if wish.ids:
        return _part_of(model, wish, scale)
    ids = () if wish.text is None else (model.continuation(wish.text),)
    if wish.kind == "contrast-continuation":
        ids = (*ids, model.continuation(str(wish.against)))
        both = Scalar("next-token", 0, "logit", against=1)
        return Aim(wish.kind, both, scale, (str(wish.text), str(wish.against)), Tails(ids, ((0,), (1,)), scale))
    if not ids:
        ids = ((yield from generate(model, encoding, wish.max_tokens)),)
    name = wish.text if wish.text is not None else model.decode(ids[0])
    return Aim(wish.kind, Scalar("next-token", 0, "logit"), scale, (name,), Tails(ids, ((0,),), scale))


def name_target(model: ModelView, aim: Aim, scalar: Scalar) -> Target:
    """The target whose outputs have been chosen, by name."""
    assert scalar.index is not None
    against = None if scalar.against is None else _name(model, aim, scalar.against)
    return Target(aim.kind, _name(model, aim, scalar.index), scalar.index, against)


def activation_of(model: ModelView, aim: Aim) -> Activation:
    """What makes probabilities of the raw outputs."""
    return model.facts.activation_of(aim.scalar.kind)


def _contrast(model: ModelView, wish: Wish, scale: Scale) -> Aim:
    if wish.head == "class":
        names = model.facts.labels
        index = None if wish.label is None else find_label(wish.label, names)
        against = RUNNER_UP if wish.against is None else find_label(wish.against, names, "target.against")
        warnings: tuple[str, ...] = ()
    else:
        names = None
        index, said = _token(model, wish.label, "target.label")
        other, more = _token(model, wish.against, "target.against")
        against, warnings = RUNNER_UP if other is None else other, (*said, *more)
    if index is not None and index == against:
        raise BadRequest(f"target.against: {wish.against!r} is the label itself; name another one")
    return Aim("contrast", Scalar(wish.head, index, scale, against), scale, names, warnings=warnings)


def _label_words(model: ModelView, wish: Wish, scale: Scale) -> Aim:
    """One output a label: read at once where every word is one token, else by reading each word to its end."""
    names = tuple(label for label, _ in wish.labels)
    index = None if wish.label is None else find_label(wish.label, names)
    forms = [
        tuple(dict.fromkeys(form for word in words for form in model.word_forms(word))) for _, words in wish.labels
    ]
    owners = {form: name for name, group in zip(names, forms, strict=True) for form in group}
    for name, group in zip(names, forms, strict=True):
        for form in group:
            if owners[form] != name:
                raise BadRequest(f"target.labels: {name} and {owners[form]} share a word; give each its own")
    if all(len(form) == 1 for group in forms for form in group):
        groups = tuple(tuple(form[0] for form in group) for group in forms)
        return Aim("label-words", Scalar("next-token", index, scale, groups=groups), scale, names)
    ids = tuple(form for group in forms for form in group)
    starts = [sum(map(len, forms[:at])) for at in range(len(forms))]
    tails = tuple(tuple(range(start, start + len(group))) for start, group in zip(starts, forms, strict=True))
    return Aim("label-words", Scalar("next-token", index, scale), scale, names, Tails(ids, tails, "logprob"))


def _part_of(model: ModelView, wish: Wish, scale: Scale) -> Aim:
    """The part of given ids that is explained; what stands behind it does not matter to a causal model."""
    for id in wish.ids:
        if id >= model.facts.vocab_size:
            raise BadRequest(f"target.ids: token id {id} is out of range; there are {model.facts.vocab_size}")
    start, end = wish.part or (0, len(wish.ids))
    # What the ids say depends on those before them.
    name = model.decode(wish.ids[:end])[len(model.decode(wish.ids[:start])) :] or model.decode(wish.ids[start:end])
    tails = Tails((wish.ids[:end],), ((0,),), scale, None if start == 0 else (start, end))
    return Aim(wish.kind, Scalar("next-token", 0, "logit"), scale, (name,), tails)


def _token(model: ModelView, label: str | int | None, field: str) -> tuple[int | None, tuple[str, ...]]:
    """The id of a token given by text or id, and a warning where the text is more than that token."""
    if label is None:
        return None, ()
    if isinstance(label, int):
        if not 0 <= label < model.facts.vocab_size:
            raise BadRequest(f"{field}: token id {label} is out of range; there are {model.facts.vocab_size}")
        return label, ()
    index = model.find_token(label)
    name = model.token_text(index)
    if name.strip() == label.strip():
        return index, ()
    said = f"target: {label!r} is more than one token; what is explained is its first, {name!r}"
    return index, (f"{said} (a continuation target reads it to its end)",)


def _name(model: ModelView, aim: Aim, index: int) -> str:
    return model.token_text(index) if aim.names is None else aim.names[index]
