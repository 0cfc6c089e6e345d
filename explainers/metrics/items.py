"""The texts of an evaluation with their labels, as people give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saliscope.explainers.errors import BadRequest, ExplainerError, NotCapable, listing
from saliscope.explainers.facts import ModelFacts, ModelView
from saliscope.explainers.plain import plain
from saliscope.explainers.targets.scalar import find_label
from saliscope.explainers.texts.chat import parse_messages
from saliscope.explainers.texts.inputs import Input


@dataclass(frozen=True, slots=True)
class Item:
    """A text, a pair or a chat, and the index of its label, if it has one."""

    input: Input
    gold: int | None

    @property
    def text(self) -> str:
        """All that is read of it, as one string."""
        if self.input.messages is not None:
            return "\n".join(message["content"] for message in self.input.messages)
        return self.input.text if self.input.pair is None else f"{self.input.text}\n{self.input.pair}"


def read_items(records: Sequence[Any], facts: ModelFacts) -> tuple[Item, ...]:
    """Texts, pairs (text, label) or maps with `text` (and `pair`) or `messages`, and `label`.

    What is of the wrong kind, and labels that are not the model's, are `BadRequest`; other keys of a map are ignored.
    """
    rows = list(records)
    if not rows:
        raise BadRequest("records: there is none; give at least one text")
    items: list[Item] = []
    unknown: dict[str, int] = {}
    for number, record in enumerate(rows):
        given, label = _read(record, f"records[{number}]")
        gold = None
        if label is not None and facts.kinds[0] != "class":
            raise BadRequest(f"records: {facts.name} has no classes, so texts cannot have labels; leave them out")
        if label is not None:
            try:
                gold = find_label(label, facts.labels)
            except BadRequest:
                unknown[str(label)] = unknown.get(str(label), 0) + 1
        items.append(Item(given, gold))
    if unknown:
        found = listing(f"{label!r} ({count} texts)" for label, count in unknown.items())
        raise BadRequest(f"records: these labels are none of {facts.name}: {found}; it has {listing(facts.labels)}")
    return tuple(items)


def require_readable(items: Sequence[Item], model: ModelView) -> None:
    """Refuse pairs and chats that no text of this model can be: `NotCapable` before anything is computed."""
    if any(item.input.messages is not None for item in items) and model.chat_template is None:
        raise NotCapable(f"records: {model.facts.name} has no chat template; give each chat's prompt as a text")
    if any(item.input.pair is not None for item in items):
        try:
            model.encode_pair("a", "b")
        except NotCapable as error:
            raise NotCapable(f"records: {model.facts.name} reads no pairs: {error.message}") from error


def _read(record: Any, where: str) -> tuple[Input, str | int | None]:
    if isinstance(record, Mapping):
        given, label = _input(record, where), record.get("label")
    elif isinstance(record, tuple | list) and len(record) == 2:
        given, label = _input({"text": record[0]}, where), record[1]
    else:
        given, label = _input({"text": record}, where), None
    label = plain(label)
    if label is not None and (isinstance(label, bool) or not isinstance(label, str | int)):
        raise BadRequest(f"{where}.label: expected a name or an index, got {label!r}")
    return given, label


def _input(record: Mapping[str, Any], where: str) -> Input:
    text, pair, messages = (record.get(name) for name in ("text", "pair", "messages"))
    if messages is not None:
        if text is not None or pair is not None:
            raise BadRequest(f"{where}.messages: a chat comes alone; give a text (and a pair), or messages")
        try:
            parsed = parse_messages(messages)
        except ExplainerError as error:
            raise type(error)(f"{where}.{error.message}") from error
        return Input(messages=[{"role": message.role, "content": message.content} for message in parsed])
    if not isinstance(text, str):
        raise BadRequest(
            f"{where}: expected a text, a pair (text, label) or a map with text (and pair) or messages, and label"
        )
    if pair is not None and not isinstance(pair, str):
        raise BadRequest(f"{where}.pair: expected a second text, got {type(pair).__name__}")
    return Input(text, pair)
