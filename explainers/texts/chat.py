"""Chats: messages through the model's own template, and each token back to what a person wrote.

A template is a program from a model folder. It runs behind the fence, and is not believed: every message is marked,
rendered again, and must come out as it went in. What the template adds is fixed, like special tokens.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
import numpy as np

from saliscope.explainers.answers import Answer, Solved
from saliscope.explainers.errors import BadRequest, NotCapable, TooLarge
from saliscope.explainers.queries import Query, Solve
from saliscope.explainers.texts.encoding import Encoding, Span, Token
from saliscope.explainers.texts.fence import ExhaustedError, fenced
from saliscope.explainers.texts.segments import lay_out
from saliscope.explainers.texts.tokenizing import Tokenizing, whole

MOST_MESSAGES: Final = 256
MOST_BYTES: Final = 1 << 20
"""Of all contents together, as of a text."""
MOST_RENDERED: Final = 4 << 20
"""Characters that a template may make of a chat."""
MARKS: Final = (0xF0000, 0x100000)
"""Private characters: where marks for the messages are taken from, the first block that no message uses."""


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message of a chat."""

    role: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    content: str


Messages = Annotated[list[Message], msgspec.Meta(min_length=1, max_length=MOST_MESSAGES)]


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A tokenizer's template and the names it is rendered with."""

    source: str
    variables: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A chat as the model reads it: `places[i]` is where the visible part of message i lies, None if it has none."""

    text: str
    places: tuple[Span | None, ...]


def parse_messages(messages: object) -> tuple[Message, ...]:
    """Messages `{"role": …, "content": …}` as a person gives them; anything else is `BadRequest` with its path."""
    rows = list(messages) if isinstance(messages, Sequence) and not isinstance(messages, str) else messages
    try:
        parsed = tuple(msgspec.convert(msgspec.to_builtins(rows), Messages))
    except (msgspec.ValidationError, TypeError) as error:
        reason, _, path = str(error).partition(" - at ")
        raise BadRequest(f"messages{path.strip('`').removeprefix('$')}: {reason}") from None
    size = sum(len(message.content.encode("utf-8", "surrogatepass")) for message in parsed)
    if size > MOST_BYTES:
        raise TooLarge(f"the messages have {size} bytes, over the limit of {MOST_BYTES}; send fewer or shorter ones")
    for number, message in enumerate(parsed):
        whole(message.role, f"messages[{number}].role")
        whole(message.content, f"messages[{number}].content")
    return parsed


def find_template(tokenizer: Any) -> ChatTemplate | None:
    """The template that comes with a tokenizer, the one called default of several; None without one."""
    found = getattr(tokenizer, "chat_template", None)
    if isinstance(found, Mapping):
        found = found.get("default")
    if not found:
        return None
    names = {
        name: list(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in tokenizer.special_tokens_map.items()
    }
    return ChatTemplate(str(found), names)


def rendering(
    template: ChatTemplate | None, messages: tuple[Message, ...], prompted: bool
) -> Generator[Query, Answer, Rendered]:
    """The chat through its template, computed beside the device; `NotCapable` where there is no way back."""
    if template is None:
        raise NotCapable(
            "this model has no chat template; send its prompt as a text, or use an instruction-tuned model"
        )
    answer = yield Solve(render, (template.source, dict(template.variables), messages, prompted), is_fenced=True)
    assert isinstance(answer, Solved)
    rendered: Rendered = answer.result
    return rendered


def render(source: str, variables: dict[str, Any], messages: tuple[Message, ...], prompted: bool) -> Rendered:
    """Render a chat and find its messages in it: as they are, and again with each one marked on both sides."""
    base = _free_block(source, messages)
    plain = [{"role": message.role, "content": message.content} for message in messages]
    marked = [{**row, "content": _marked(row["content"], base + 2 * number)} for number, row in enumerate(plain)]
    # What transformers hands to a template beside the messages.
    names = {**variables, "tools": [], "documents": None, "add_generation_prompt": prompted}
    try:
        answer = fenced("render", source, names, [plain, marked], MOST_RENDERED)
    except ExhaustedError as error:
        raise NotCapable(f"this model's chat template was stopped: it took {error} for this chat") from None
    if "refused" in answer:
        raise BadRequest(f"messages: the model's chat template refuses them: {answer['refused']}")
    text, with_marks = answer["texts"]
    places = _places(with_marks, base, len(messages))
    without = "".join(char for char in with_marks if not base <= ord(char) < base + 2 * len(messages))
    for number, message in enumerate(messages):
        place, inner = places[number], message.content.strip()
        if inner and (place is None or without[slice(*place)] != inner):
            raise NotCapable(
                f"messages[{number}].content: this model's chat template changes or leaves out what was written,"
                " so scores could not be shown on it; shorten the chat, or send the rendered prompt as a text"
            )
    if without != text:
        raise NotCapable(
            "messages: this model's chat template makes something else of them when they are marked, so where they are"
            " cannot be told; send the rendered prompt as a text"
        )
    return Rendered(text, tuple(places))


def encode_chat(tokenizing: Tokenizing, rendered: Rendered, messages: tuple[Message, ...], max_tokens: int) -> Encoding:
    """The rendered chat in one go, without special tokens beside the template's; spans count in the messages' texts,
    joined by a line break. A chat that is longer than the model reads is `TooLarge`.
    """
    tokenizer = tokenizing.tokenizer
    got = tokenizer(
        rendered.text,
        add_special_tokens=False,
        return_offsets_mapping=bool(tokenizer.is_fast),
        return_attention_mask=False,
        truncation=False,
        verbose=False,
    )
    ids = list(got["input_ids"])
    if len(ids) > max_tokens:
        raise TooLarge(f"the chat is {len(ids)} tokens long and the model reads {max_tokens}; leave messages out")
    source, segments = lay_out(
        tuple(message.role for message in messages), tuple(message.content for message in messages)
    )
    ways = _ways_back(rendered, messages, [segment.start for segment in segments])
    tokens: list[Token] = []
    for token in tokenizing.read(rendered.text, ids, [False] * len(ids), got.get("offset_mapping"), len(ids)):
        before = tokens[-1].end if tokens else 0
        way = (
            None if token.special else next((way for way in ways if token.start < way[1] and way[0] < token.end), None)
        )
        if way is None:
            name = "".join(map(tokenizing.token_text, token.ids))
            tokens.append(Token(name, before, before, True, token.positions, token.ids))
            continue
        # A token may hold a character of the template beside one of a message; a message's it is then.
        start, end = max(token.start, way[0]) + way[2], min(token.end, way[1]) + way[2]
        tokens.append(Token(source[start:end], start, end, False, token.positions, token.ids))
    return Encoding(source, np.asarray(ids, dtype=np.int64), tuple(tokens), None, tuple(segments))


def _ways_back(rendered: Rendered, messages: tuple[Message, ...], starts: list[int]) -> list[tuple[int, int, int]]:
    """Where each message lies in the rendered chat, and how far that is from its place in the source, in order."""
    ways: list[tuple[int, int, int]] = []
    for place, message, start in zip(rendered.places, messages, starts, strict=True):
        if place is None:
            continue
        blanks = len(message.content) - len(message.content.lstrip())
        if ways and place[0] < ways[-1][1]:
            raise NotCapable("this model's chat template puts messages in another order; send them in its order")
        ways.append((*place, start + blanks - place[0]))
    return ways


def _free_block(source: str, messages: tuple[Message, ...]) -> int:
    for base in MARKS:
        block = range(base, base + 2 * MOST_MESSAGES)
        if not any(ord(char) in block for text in (source, *(m.content for m in messages)) for char in text):
            return base
    raise BadRequest("messages: they use private characters of both planes; leave those of one out")


def _marked(content: str, mark: int) -> str:
    """A content with marks around what is visible of it: templates may strip the blanks outside."""
    inner = content.strip()
    if not inner:
        return content
    before = content[: len(content) - len(content.lstrip())]
    after = content[len(content.rstrip()) :]
    return f"{before}{chr(mark)}{inner}{chr(mark + 1)}{after}"


def _places(with_marks: str, base: int, count: int) -> list[Span | None]:
    """Where the marked parts would lie without the marks; None for one that is not there exactly once."""
    at: dict[int, list[int]] = {}
    passed = 0
    for index, char in enumerate(with_marks):
        number = ord(char) - base
        if 0 <= number < 2 * count:
            at.setdefault(number, []).append(index - passed)
            passed += 1
    places: list[Span | None] = []
    for number in range(count):
        begins, ends = at.get(2 * number, []), at.get(2 * number + 1, [])
        once = len(begins) == len(ends) == 1 and begins[0] <= ends[0]
        places.append((begins[0], ends[0]) if once else None)
    return places
