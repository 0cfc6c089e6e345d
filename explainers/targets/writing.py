"""What a causal model writes behind a text, token by token, with what else it might have written."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from itertools import accumulate, takewhile
from typing import Any, Literal

import numpy as np

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.errors import NonFinite, NotCapable, TooLarge
from saliscope.explainers.facts import CAPABILITIES, ModelView
from saliscope.explainers.queries import Evaluate, Outputs, Query
from saliscope.explainers.targets.predicting import predict_next
from saliscope.explainers.texts.encoding import Encoding, FloatArray, extended


@dataclass(frozen=True, slots=True)
class Writing:
    """At most `most` tokens; at `temperature` 0 the likeliest ones, else drawn with `seed`; `top` others are told."""

    most: int
    temperature: float = 0.0
    seed: int = 0
    top: int = 0


@dataclass(frozen=True, slots=True)
class WrittenToken:
    """One token: the id, how likely it was, and the likeliest ones at its place."""

    id: int
    probability: float
    likely: dict[str, float]


@dataclass(frozen=True, eq=False)
class Written:
    """What was written so far; `finish` is empty while it goes on, `end` if the model ended it, else `length`.

    Token i of the text is `text[places[i][0]:places[i][1]]`, empty where it is only a part of a character.
    """

    encoding: Encoding
    tokens: tuple[WrittenToken, ...]
    text: str
    places: tuple[tuple[int, int], ...]
    finish: Literal["", "end", "length"] = ""

    def kept_of(self, before: Written) -> tuple[int, int]:
        """How many tokens, with their places, and code points of the text are as they were in an earlier state."""
        now, then = (zip(one.tokens, one.places, strict=True) for one in (self, before))
        return _num_alike(now, then), _num_alike(self.text, before.text)


def _num_alike(some: Iterable[object], others: Iterable[object]) -> int:
    """How many things both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))


def writing(model: ModelView, encoding: Encoding, wish: Writing) -> Generator[Query | Written, Answer | None, Written]:
    """Yield one row a token, and what was written so far after each; both are answered with `send`."""
    if "next-token" not in model.facts.capabilities:
        raise NotCapable(f"writing on needs {CAPABILITIES['next-token']}; {model.facts.name} has no such head")
    room = model.facts.max_tokens - len(encoding)
    if room < 1:
        raise TooLarge(f"the prompt fills the {model.facts.max_tokens} tokens that the model reads; shorten it")
    draws = np.random.default_rng(wish.seed)
    tokens: list[WrittenToken] = []
    lengths: list[int] = []
    finish: Literal["end", "length"] = "length"
    while len(tokens) < min(wish.most, room):
        longer = replace(extended(encoding, [one.id for one in tokens], model.token_text), tail=0)
        answer = yield Evaluate(longer, Outputs("next-token"), outputs=True)
        assert isinstance(answer, Evaluated)
        assert answer.outputs is not None
        if not np.isfinite(answer.outputs).all():
            raise NonFinite("the model's output for this text is not finite; try float32 weights")
        id, probability = _drawn(answer.outputs, wish.temperature, draws)
        likely = dict(predict_next(model, answer.outputs, wish.top).probabilities) if wish.top else {}
        tokens.append(WrittenToken(id, probability, likely))
        if id in model.end_ids:
            finish = "end"
            break
        yield _written(model, encoding, tokens, lengths)
    return replace(_written(model, encoding, tokens, lengths), finish=finish)


def _drawn(outputs: FloatArray, temperature: float, draws: Any) -> tuple[int, float]:
    """The next id, and its probability at temperature 1."""
    wide = outputs.astype(np.float64)
    probabilities = np.exp(wide - wide.max())
    probabilities /= probabilities.sum()
    if temperature == 0:
        id = int(np.argmax(wide))
    else:
        # The largest of the outputs with noise of Gumbel is a draw; nothing overflows at small temperatures.
        id = int(np.argmax(wide / temperature + draws.gumbel(size=wide.shape)))
    return id, float(probabilities[id])


def _written(model: ModelView, encoding: Encoding, tokens: list[WrittenToken], lengths: list[int]) -> Written:
    """The tokens as text; an end of the text is a token that says nothing.

    `lengths[i]` is how far the text of the first i + 1 tokens reaches; those that are not there yet are added.
    """
    ids = [one.id for one in tokens if one.id not in model.end_ids]
    text = model.decode(ids)
    # Half a character is written by the token that completes it.
    beginnings = (ids[:at] for at in range(len(lengths) + 1, len(ids) + 1))
    lengths.extend(len(model.decode(beginning).rstrip("\ufffd")) for beginning in beginnings)
    ends = [min(length, len(text)) for length in accumulate(lengths, max)]
    if ends:
        ends[-1] = len(text)
    ends += ends[-1:] * (len(tokens) - len(ids)) or [0] * (len(tokens) - len(ids))
    places = tuple(zip([0, *ends[:-1]], ends, strict=True)) if ends else ()
    return Written(encoding, tuple(tokens), text, places)
