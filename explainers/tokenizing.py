"""A Hugging Face tokenizer behind exact spans."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliscope.explainers.encoding import Encoding, Token
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.spans import build_tokens

MARGIN = 16
"""Tokens looked at beyond the model's length, so that a character is never cut in two."""


class Tokenizing:
    """Encodes texts and names tokens; the tokenizer is read and never changed."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def encode(self, text: str, max_tokens: int) -> Encoding:
        """At most `max_tokens` ids with the template's special tokens; the rest is reported as truncated."""
        got = self.tokenizer(
            text,
            return_offsets_mapping=bool(self.tokenizer.is_fast),
            return_special_tokens_mask=True,
            return_attention_mask=False,
            return_token_type_ids=False,
            truncation=False,
            verbose=False,
        )
        ids, special = list(got["input_ids"]), [bool(flag) for flag in got["special_tokens_mask"]]
        offsets = got.get("offset_mapping")
        lead = next((i for i, fixed in enumerate(special) if not fixed), len(ids))
        trail = next((i for i, fixed in enumerate(reversed(special)) if not fixed), 0) if lead < len(ids) else 0
        room = max_tokens - trail
        cut = len(ids) - trail > room
        body = slice(0, min(len(ids) - trail, room + MARGIN))
        tokens = build_tokens(text, ids[body], special[body], offsets and offsets[body], self._decode)
        truncated_at = None
        if cut:
            tokens, truncated_at = _cut(tokens, room)
        kept = sum(len(token.positions) for token in tokens)
        ending = ids[len(ids) - trail :] if trail else []
        closing = tuple(
            Token(self.token_text(token_id), _end(tokens), _end(tokens), True, (kept + k,), (token_id,))
            for k, token_id in enumerate(ending)
        )
        return Encoding(text, np.asarray([*ids[:kept], *ending], dtype=np.int64), (*tokens, *closing), truncated_at)

    def token_text(self, token_id: int) -> str:
        """A vocabulary entry as text; bytes that are no character alone keep the vocabulary's spelling."""
        text = self._decode([token_id])
        return text if text and "\ufffd" not in text else str(self.tokenizer.convert_ids_to_tokens(token_id))

    def find_token(self, text: str) -> int:
        """The first id of a continuation, with a leading blank if that form is a single token."""
        forms = [text] if text[:1].isspace() else [f" {text}", text]
        encoded = [self.tokenizer(form, add_special_tokens=False)["input_ids"] for form in forms]
        whole = [ids for ids in encoded if ids]
        if not whole:
            raise BadRequest(f"target: {text!r} gives no token")
        return int(min(whole, key=len)[0])

    def mask_token(self, causal: bool) -> int | None:
        """The id that stands for nothing (METHODS 0.5): mask, "..." for decoders, unk, pad; None if there is none."""
        if self.tokenizer.mask_token_id is not None:
            return int(self.tokenizer.mask_token_id)
        if causal:
            forms = [self.tokenizer(form, add_special_tokens=False)["input_ids"] for form in ("...", " ...")]
            single = [ids for ids in forms if len(ids) == 1] or [ids for ids in forms if ids]
            if single:
                return int(single[0][0])
        for fallback in (self.tokenizer.unk_token_id, self.tokenizer.pad_token_id):
            if fallback is not None:
                return int(fallback)
        return None

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


def _cut(tokens: tuple[Token, ...], room: int) -> tuple[tuple[Token, ...], int]:
    """The tokens that fit `room` positions, and where the first of the others begins."""
    kept = tuple(token for token in tokens if token.positions[-1] < room)
    return kept, tokens[len(kept)].start if len(kept) < len(tokens) else _end(tokens)


def _end(tokens: tuple[Token, ...]) -> int:
    return tokens[-1].end if tokens else 0
