"""A prompt as it is kept until the next session: its messages and wishes, without what was written behind it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct, field

from saliscope.tui.prompt.state import Prompt, Said

#: A prompt with more is not kept whole: so many messages and code points, the last ones.
MOST_MESSAGES: Final = 200
MOST_TEXT: Final = 1_000_000


class KeptPrompt(Struct):
    """What a prompt is made of; `model` is the one that was chosen."""

    messages: list[Said] = field(default_factory=list)
    model: str | None = None
    is_plain: bool = False
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0


def kept_of(prompt: Prompt) -> KeptPrompt | None:
    """A prompt to be kept, as far as it fits; None where nothing is left of it."""
    messages: list[Said] = []
    room = MOST_TEXT
    for one in reversed(prompt.messages[-MOST_MESSAGES:]):
        room -= len(one.content)
        if room < 0:
            break
        messages.append(Said(one.role, one.content))
    if not any(one.content.strip() for one in messages):
        return None
    return KeptPrompt(messages[::-1], prompt.model, prompt.is_plain, prompt.max_tokens, prompt.temperature, prompt.seed)


def prompt_of(kept: KeptPrompt | None) -> Prompt | None:
    """The prompt that was kept; None where there was none."""
    if kept is None or not kept.messages:
        return None
    return Prompt(list(kept.messages), kept.is_plain, kept.max_tokens, kept.temperature, kept.seed, model=kept.model,
                  is_kept=True)  # fmt: skip
