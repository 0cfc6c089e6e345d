"""What is explained: a text, a pair of texts, or the messages of a chat, and how each becomes what the model sees."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

from saliscope.explainers.answers import Answer
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.facts import ModelView
from saliscope.explainers.queries import Query
from saliscope.explainers.texts.chat import parse_messages, rendering
from saliscope.explainers.texts.encoding import Encoding

Windows = Literal["cut", "stitch"]


@dataclass(frozen=True, slots=True)
class Input:
    """A text, with a second one if `pair` is given; or `messages`, each `{"role": …, "content": …}`, and no text.

    `add_generation_prompt` ends a chat with the opening of the answer; None: if the model is a causal language model.
    """

    text: Any = None
    pair: Any = None
    messages: Any = None
    add_generation_prompt: bool | None = None


def reading(
    model: ModelView, given: Input, purpose: str, most: int | None = None
) -> Generator[Query, Answer, Encoding]:
    """Encode an input; one that is blank, or of two kinds at once, is `BadRequest`. `purpose` names what for.

    It is cut at `most` tokens, by default at the model's length.
    """
    if given.messages is not None:
        if given.text or given.pair is not None:
            raise BadRequest("messages: a chat comes alone; give a text (and a pair), or messages")
        messages = parse_messages(given.messages)
        if not any(message.content.strip() for message in messages):
            raise BadRequest(f"messages: every content is empty or blank; there is nothing to {purpose}")
        prompted = given.add_generation_prompt
        prompted = model.facts.kind == "causal-lm" if prompted is None else prompted
        rendered = yield from rendering(model.chat_template, messages, prompted)
        return model.encode_chat(rendered, messages, most)
    text = _visible(given.text, "text", purpose)
    if given.pair is None:
        return model.encode(text) if most is None else model.encode(text, most)
    return model.encode_pair(text, _visible(given.pair, "pair", purpose), most)


def _visible(text: object, name: str, purpose: str) -> str:
    if text is None:
        raise BadRequest(f"{name}: it is missing; give a text, or messages")
    if not isinstance(text, str):
        raise BadRequest(f"{name}: expected a string, got {type(text).__name__}")
    if not text.strip():
        raise BadRequest(f"{name}: it is empty or blank; there is nothing to {purpose}")
    return text
