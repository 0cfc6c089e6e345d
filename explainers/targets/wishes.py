"""Targets as people name them: a label, an index, the name of a kind, or a map with the fields of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from saliscope.explainers.errors import BadRequest, NotCapable, listing
from saliscope.explainers.targets.scalar import HEADS, KINDS, Kind, TargetKind, kinds_of

PREDICTED: Final = "predicted"
MOST_NEW_TOKENS: Final = 64
MOST_IDS: Final = 512
NEW_TOKENS: Final = 16
MOST_LABELS: Final = 64
MOST_WORDS: Final = 64

#: What a map of each kind may hold beside `kind`.
FIELDS: Final[Mapping[TargetKind, tuple[str, ...]]] = {
    "class": ("label",),
    "contrast": ("label", "against", "of"),
    "next-token": ("label",),
    "label-words": ("labels", "label"),
    "continuation": ("text", "ids", "part", "max_tokens", "steps"),
    "contrast-continuation": ("text", "against"),
}
#: Kinds that need nothing but their name.
_BARE: Final = ("class", "contrast", "next-token", "continuation")


@dataclass(frozen=True, slots=True)
class Wish:
    """A target as asked; what is None is for the model to say.

    `label` is a name, an index, or None for what the model predicts; `against` the same, or a text; `of` the head of a
    contrast; `labels` the words of each label; `text` a continuation, or None for `max_tokens` of the model's own;
    `ids` are its tokens in place of a text, `part` which of these are explained (from, to), given those before them;
    `steps` asks for scores of each of its tokens as well.
    """

    kind: TargetKind
    label: str | int | None = None
    against: str | int | None = None
    of: Kind | None = None
    labels: tuple[tuple[str, tuple[str, ...]], ...] = ()
    text: str | None = None
    max_tokens: int = NEW_TOKENS
    steps: bool = False
    ids: tuple[int, ...] = ()
    part: tuple[int, int] | None = None

    @property
    def head(self) -> Kind:
        """The head that is read."""
        if self.of is not None:
            return self.of
        return "class" if self.kind in ("class", "contrast") else "next-token"


def parse_target(asked: object, heads: tuple[Kind, ...], num_labels: int = 2) -> Wish:
    """Read a target given as None, a label, an index, a kind, or `{"kind": …, …}` with the fields of that kind.

    `heads` are the model's own, the default first; a kind that they cannot answer is `NotCapable`.
    """
    if asked is None or (isinstance(asked, str | int) and not isinstance(asked, bool)):
        for kind in kinds_of(heads, num_labels):
            if asked == kind and kind in _BARE:
                return _parse_map({"kind": kind}, heads, num_labels)
        return Wish(heads[0], None if asked == PREDICTED else asked)
    if isinstance(asked, Mapping):
        return _parse_map(asked, heads, num_labels)
    raise BadRequest("target: expected a label, an index or {kind, label}")


def _parse_map(asked: Mapping[Any, Any], heads: tuple[Kind, ...], num_labels: int) -> Wish:
    kind = heads[0] if asked.get("kind") is None else asked["kind"]
    if kind not in KINDS:
        raise BadRequest(f"target.kind {kind!r} is none of {listing(KINDS)}")
    possible = kinds_of(heads, num_labels)
    if kind not in possible:
        raise NotCapable(f"target {kind!r} does not fit this model; it answers {listing(possible)}")
    given = {key: value for key, value in asked.items() if key != "kind" and value is not None and value is not False}
    for key in given:
        if key not in FIELDS[kind]:
            raise BadRequest(f"target.{key}: a {kind} target has no such field; it has {listing(FIELDS[kind])}")
    label = _name(given.get("label"), "label")
    match kind:
        case "class" | "next-token":
            return Wish(kind, label)
        case "contrast":
            return Wish(kind, label, _name(given.get("against"), "against"), _head(given.get("of", heads[0]), heads))
        case "label-words":
            return Wish(kind, label, labels=_labels(given.get("labels")))
        case "continuation":
            most = given.get("max_tokens", NEW_TOKENS)
            if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST_NEW_TOKENS:
                _wrong("max_tokens", f"a whole number from 1 to {MOST_NEW_TOKENS}")
            text, ids = _text(given.get("text"), "text"), _ids(given.get("ids"))
            if text is not None and ids:
                raise BadRequest("target.ids: give the text of a continuation, or its ids")
            part = _part(given.get("part"), len(ids))
            return Wish(kind, text=text, max_tokens=most, steps="steps" in given, ids=ids, part=part)
    text, against = _text(given.get("text"), "text"), _text(given.get("against"), "against")
    if text is None or against is None:
        raise BadRequest("target: a contrast-continuation needs two texts, `text` and `against`")
    return Wish(kind, text=text, against=against)


def _name(value: Any, field: str) -> str | int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        _wrong(field, "a name, an index or nothing")
    return None if value == PREDICTED else value


def _text(value: Any, field: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        _wrong(field, "a text")
    if not value:
        raise BadRequest(f"target.{field}: it is empty; name what would follow the text")
    return str(value)


def _ids(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MOST_IDS:
        _wrong("ids", f"1 to {MOST_IDS} token ids")
    if not all(isinstance(id, int) and not isinstance(id, bool) and id >= 0 for id in value):
        _wrong("ids", "token ids from 0")
    return tuple(value)


def _part(value: Any, num_ids: int) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(type(one) is int for one in value):
        _wrong("part", "two numbers: the first token, and the one behind the last")
    start, end = value
    if not 0 <= start < end <= num_ids:
        _wrong("part", f"a part of the {num_ids} ids")
    return start, end


def _head(value: Any, heads: tuple[Kind, ...]) -> Kind:
    if value not in HEADS:
        _wrong("of", f"one of {listing(HEADS)}")
    if value not in heads:
        raise NotCapable(f"target.of {value!r} does not fit this model; it has {listing(heads)}")
    head: Kind = value
    return head


def _labels(value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, Mapping) or not 2 <= len(value) <= MOST_LABELS:
        _wrong("labels", f'2 to {MOST_LABELS} labels with their words, as {{"positive": ["good", "great"], …}}')
    found = []
    for label, words in value.items():
        rows = [words] if isinstance(words, str) else words
        if not isinstance(label, str) or not isinstance(rows, list | tuple) or not 1 <= len(rows) <= MOST_WORDS:
            _wrong(f"labels.{label}", f"1 to {MOST_WORDS} words")
        if not all(isinstance(word, str) and word.strip() for word in rows):
            _wrong(f"labels.{label}", "words that are not blank")
        found.append((label, tuple(rows)))
    return tuple(found)


def _wrong(field: str, expected: str) -> NoReturn:
    raise BadRequest(f"target.{field}: expected {expected}")
