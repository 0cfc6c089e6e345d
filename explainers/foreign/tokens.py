"""A tokenizer of one's own: a function from a text to ids."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.texts.encoding import Encoding, Span, build_tokens
from saliscope.explainers.texts.vocabulary import OneForm

Tokenizer = Callable[[str], Any]


class OwnTokens(OneForm):
    """Tokens of a function that answers `(id, start, end)` a token, or one id a word (what `str.split` gives).

    A token with an empty span is fixed: never hidden and never scored, as a start mark is.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def encode(self, text: str, max_tokens: int) -> Encoding:
        """At most `max_tokens` ids; what the function gives is checked against the text."""
        ids, spans = self._read(text)
        special = [start == end for start, end in spans]
        tokens = build_tokens(text, ids, special, spans, self.token_text)
        truncated_at = None
        if len(ids) > max_tokens:
            tokens = tuple(token for token in tokens if token.positions[-1] < max_tokens)
            truncated_at = tokens[-1].end if tokens else 0
        kept = [token_id for token in tokens for token_id in token.ids]
        return Encoding(text, np.asarray(kept, dtype=np.int64), tokens, truncated_at)

    def token_text(self, token_id: int) -> str:
        """The id in angle brackets: a function does not say what its ids mean."""
        return f"<{token_id}>"

    def find_token(self, text: str) -> int:
        """The first id of a text; none is `BadRequest`."""
        ids, spans = self._read(text.strip())
        found = [token_id for token_id, (start, end) in zip(ids, spans, strict=True) if start < end]
        if not found:
            raise BadRequest(f"{text!r} gives no token")
        return found[0]

    def _read(self, text: str) -> tuple[list[int], list[Span]]:
        """Ids and their spans, or `NotCapable` where what the function gave is neither of the two forms."""
        got = [_plain(token) for token in self.tokenizer(text)]
        if all(isinstance(token, int) for token in got):
            words = [match.span() for match in re.finditer(r"\S+", text)]
            if len(words) != len(got):
                raise NotCapable(
                    f"the tokenizer gave {len(got)} ids for {len(words)} words; let it give (id, start, end) a token"
                )
            return got, words
        for token in got:
            if not isinstance(token, tuple) or len(token) != 3 or not all(isinstance(part, int) for part in token):
                raise NotCapable(f"the tokenizer gave {token!r}; expected an id a word, or (id, start, end) a token")
            if not 0 <= token[1] <= token[2] <= len(text):
                raise NotCapable(f"the tokenizer gave {token!r}, which lies outside a text of {len(text)} characters")
        return [token[0] for token in got], [(token[1], token[2]) for token in got]


def _plain(token: Any) -> Any:
    """Numbers of numpy and torch as Python's own."""
    if isinstance(token, tuple | list):
        return tuple(_plain(part) for part in token)
    return token.item() if hasattr(token, "item") else token
