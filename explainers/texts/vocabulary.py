"""What is known of a model's words: ids, the texts that they stand for, and how a text goes on with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from saliscope.explainers.texts.encoding import Encoding, IntArray


class Vocabulary(Protocol):
    """Ids and texts, to and fro."""

    def token_text(self, token_id: int) -> str:
        """A vocabulary entry as text."""

    def find_token(self, text: str) -> int:
        """The first id of a text that continues another; where there is none it is `BadRequest`."""

    def continuation(self, text: str) -> tuple[int, ...]:
        """The ids of a text that continues another."""

    def word_forms(self, word: str) -> tuple[tuple[int, ...], ...]:
        """The ids of a word that continues a text, in the forms that are accepted."""

    def decode(self, ids: Sequence[int]) -> str:
        """What ids say together."""

    @property
    def end_ids(self) -> frozenset[int]:
        """The ids with which the model ends a text."""

    @property
    def unknown_id(self) -> int | None:
        """The id of the token for unknown words, if there is one."""

    @property
    def ordinary_ids(self) -> IntArray:
        """The ids that words are drawn from: no special ones, none if there is no vocabulary."""


class Tokens(Vocabulary, Protocol):
    """What a text model needs of a tokenizer."""

    @property
    def tokenizer(self) -> Any:
        """The tokenizer itself."""

    def encode(self, text: str, max_tokens: int) -> Encoding:
        """At most `max_tokens` ids; the rest is reported as truncated."""


class OneForm(Vocabulary, Protocol):
    """The vocabulary of a function: a word has the one form of its first id, and what ids there are is not known."""

    def continuation(self, text: str) -> tuple[int, ...]:
        """The one id of a text; none is `BadRequest`."""
        return (self.find_token(text),)

    def word_forms(self, word: str) -> tuple[tuple[int, ...], ...]:
        """The one form of a word."""
        return (self.continuation(word),)

    def decode(self, ids: Sequence[int]) -> str:
        """What ids say, one after another."""
        return " ".join(map(self.token_text, ids))

    @property
    def end_ids(self) -> frozenset[int]:
        """None: nothing is written."""
        return frozenset()

    @property
    def unknown_id(self) -> int | None:
        """There is none."""
        return None

    @property
    def ordinary_ids(self) -> IntArray:
        """None: a function does not say what ids there are."""
        return np.empty(0, dtype=np.int64)
