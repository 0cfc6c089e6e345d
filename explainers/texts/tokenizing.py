"""A Hugging Face tokenizer behind exact spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.texts.encoding import Encoding, IntArray, Token, build_tokens
from saliscope.explainers.texts.spans import Piece, find_spans, in_range

REPLACEMENT = "\ufffd"
"""What decoding says for a part of a character."""
MOST_IDS = 8
"""How many ids may be needed for one character."""
MARGIN = 16
"""Ids looked at beyond the model's length, so that a character is never cut in two."""
LONGEST = 64
"""Characters that an id is first taken to stand for at most, if the tokenizer does not say."""
MOST_ANCHORS = 64
"""Ids tried as the frame in which others are read."""
BRACKETED = re.compile(r"\[.+\]|<.+>")
"""How vocabularies spell entries that are no words."""


class Tokenizing:
    """Encodes texts and names tokens; the tokenizer's vocabulary and settings are read and never changed."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer

    def encode(self, text: str, max_tokens: int) -> Encoding:
        """At most `max_tokens` ids with the template's special tokens; the rest is reported as truncated.

        A lone surrogate is `BadRequest`; a length that the template alone exceeds is `NotCapable`.
        """
        got = self.tokenizer(
            whole(text, "text"),
            return_offsets_mapping=bool(self.tokenizer.is_fast),
            return_special_tokens_mask=True,
            return_attention_mask=False,
            truncation=False,
            verbose=False,
        )
        ids, special = list(got["input_ids"]), [bool(flag) for flag in got["special_tokens_mask"]]
        if sum(special) > max_tokens:
            raise NotCapable(f"the model reads {max_tokens} tokens and its special tokens alone are {sum(special)}")
        trail = 0 if all(special) else next(i for i, fixed in enumerate(reversed(special)) if not fixed)
        length, room = len(ids) - trail, max_tokens - trail
        tokens = self.read(text, ids[:length], special[:length], got.get("offset_mapping"), room)
        truncated_at = None
        if length > room:
            tokens = tuple(token for token in tokens if token.positions[-1] < room)
            truncated_at = _end(tokens)
        kept = sum(len(token.positions) for token in tokens)
        end, ending = _end(tokens), ids[length:]
        closing = tuple(
            Token(self.token_text(token_id), end, end, True, (kept + k,), (token_id,))
            for k, token_id in enumerate(ending)
        )
        types = read_types(got)
        return Encoding(
            text,
            np.asarray([*ids[:kept], *ending], dtype=np.int64),
            (*tokens, *closing),
            truncated_at,
            type_ids=None if types is None else np.concatenate([types[:kept], types[length:]]),
        )

    def read(self, text: str, ids: list[int], special: list[bool], offsets: Any, room: int) -> tuple[Token, ...]:
        """The tokens of `ids` over a text, at least of those that fit `room`; `offsets` are the tokenizer's, if any."""
        stop = room + MARGIN
        if offsets is not None:
            offsets = [(int(start), int(end)) for start, end in offsets[: len(ids)]]
            if stop < len(ids) and in_range(offsets, len(text)):
                reach = max(offsets[stop][0], *(end for _, end in offsets[:stop]))
                return self._joined(text[:reach], ids[:stop], special[:stop], offsets[:stop])
        elif stop < len(ids):
            head = text[: stop * LONGEST]
            tokens = self._joined(head, ids[:stop], special[:stop], None)
            # Ids that were not found take what is left of a text: only all of it can then say where they are.
            if _end(tokens) < len(head.rstrip()) or not head.strip():
                return tokens
        return self._joined(text, ids, special, offsets)

    def _joined(self, text: str, ids: list[int], special: list[bool], offsets: Any) -> tuple[Token, ...]:
        reader = _Reader(ids, self._decode, REPLACEMENT in text)
        spans = find_spans(text, ids, special, offsets, reader.pieces)
        return build_tokens(text, ids, special, spans, self.token_text)

    def token_text(self, token_id: int) -> str:
        """A vocabulary entry as text; bytes that are no character alone keep the vocabulary's spelling."""
        text = self._decode([token_id])
        if text and REPLACEMENT not in text:
            return text
        spelling = self.tokenizer.convert_ids_to_tokens(token_id)
        # Models often have more rows than the vocabulary has entries.
        return f"<{token_id}>" if spelling is None else str(spelling)

    def find_token(self, text: str) -> int:
        """The first id of a continuation; none is `BadRequest`."""
        return self.continuation(text)[0]

    def continuation(self, text: str) -> tuple[int, ...]:
        """The ids of a text behind another, with a leading blank if that form is not longer; none is `BadRequest`."""
        return self.word_forms(text)[0]

    def word_forms(self, text: str) -> tuple[tuple[int, ...], ...]:
        """The shortest ways to write a text behind another, with a leading blank and without; none is `BadRequest`."""
        forms = [text] if text[:1].isspace() else [f" {text}", text]
        encoded = [tuple(map(int, self._plain(whole(form, "target")))) for form in forms if text]
        found = [ids for ids in encoded if ids]
        if not found:
            raise BadRequest(f"target: {text!r} gives no token")
        return tuple(dict.fromkeys(ids for ids in found if len(ids) == min(map(len, found))))

    def decode(self, ids: Sequence[int]) -> str:
        """What ids say together."""
        return self._decode(list(ids))

    @property
    def end_ids(self) -> frozenset[int]:
        """The ids with which a model ends a text."""
        return frozenset(id for id in (self.tokenizer.eos_token_id,) if id is not None)

    def mask_token(self, causal: bool) -> int | None:
        """The id that stands for nothing: the mask token, "..." for decoders, unk, pad; None if there is none."""
        if self.tokenizer.mask_token_id is not None:
            return int(self.tokenizer.mask_token_id)
        if causal:
            forms = [self._plain(form) for form in ("...", " ...")]
            single = [ids for ids in forms if len(ids) == 1] or [ids for ids in forms if ids]
            if single:
                return int(single[0][0])
        for fallback in (self.tokenizer.unk_token_id, self.tokenizer.pad_token_id):
            if fallback is not None:
                return int(fallback)
        return None

    @property
    def unknown_id(self) -> int | None:
        """The token for unknown words; one that also begins or ends a text says something else."""
        found = self.tokenizer.unk_token_id
        marks = (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id)
        return None if found is None or found in marks else int(found)

    @cached_property
    def ordinary_ids(self) -> IntArray:
        """The ids of the vocabulary but for special, added and bracketed ones (`[unused3]`, `<0x0A>`)."""
        fixed = {*self.tokenizer.all_special_ids, *self.tokenizer.added_tokens_decoder}
        entries = self.tokenizer.get_vocab().items()
        return np.asarray(
            sorted(id for piece, id in entries if id not in fixed and not BRACKETED.fullmatch(str(piece))),
            dtype=np.int64,
        )

    def _plain(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))


class _Reader:
    """Reads ids as whole characters; `genuine` says that the source itself holds replacement characters."""

    def __init__(self, ids: list[int], decode: Callable[[list[int]], str], genuine: bool) -> None:
        self._decode = decode
        self._ids = ids
        self._genuine = genuine
        self._known: dict[tuple[int, ...], str] = {}

    def pieces(self, ids: Sequence[int], opening: bool) -> list[Piece]:
        """What `ids` say; two pieces share an id that ends one character and begins the next."""
        pieces: list[Piece] = []
        first, held, told = 0, "", ""
        for last, token_id in enumerate(ids):
            said = self._said(tuple(ids[first : last + 1]), opening and first == 0)
            if told:
                said = said.removeprefix(told).lstrip(REPLACEMENT)
            if self._genuine and held and said.startswith(held) and said.strip(REPLACEMENT):
                pieces.append(Piece(first, last - 1, held))
                first, said = last, said[len(held) :]
            whole = said.rstrip(REPLACEMENT)
            if not whole and last - first < MOST_IDS:
                held = said
                continue
            pieces.append(Piece(first, last, whole or said))
            cut = whole not in ("", said)
            first, held = (last if cut else last + 1), ""
            told = (self._said((token_id,), opening and last == 0).rstrip(REPLACEMENT) or REPLACEMENT) if cut else ""
        if held or (first < len(ids) and not told):
            pieces.append(Piece(first, len(ids) - 1, held))
        return pieces

    def _said(self, ids: tuple[int, ...], opening: bool) -> str:
        if opening:
            # Some decoders drop a blank there.
            return self._decode(list(ids))
        if ids not in self._known:
            self._known[ids] = self._framed(list(ids))
        return self._known[ids]

    def _framed(self, ids: list[int]) -> str:
        """What ids add between two others: alone they may lose a blank, or show the marks `##` and `@@`."""
        anchor, head, tail = self._frame
        said = self._decode([*anchor, *ids, *anchor])
        for end in (tail, tail.lstrip()):
            if said.startswith(head) and said.endswith(end) and len(said) >= len(head) + len(end):
                return said[len(head) : len(said) - len(end)]
        return self._decode(ids)

    @cached_property
    def _frame(self) -> tuple[list[int], str, str]:
        """An id of the text, what it says first and what it says after itself."""
        for token_id in list(dict.fromkeys(self._ids))[:MOST_ANCHORS]:
            head, both = self._decode([token_id]), self._decode([token_id, token_id])
            if head.strip() and REPLACEMENT not in both and both.startswith(head) and both.endswith(head.strip()):
                return [token_id], head, both[len(head) :]
        return [], "", ""


def whole(text: str, name: str) -> str:
    """The text, if every code point of it is a character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(
            f"{name}: character {error.start} is half of a surrogate pair; send the text as valid Unicode"
        ) from None
    return text


def read_types(encoded: Any) -> IntArray | None:
    """The token types `[T]` that a tokenizer gives, None where it gives none or all are 0."""
    types = np.asarray(encoded.get("token_type_ids") or (), dtype=np.int64)
    return types if types.any() else None


def _end(tokens: tuple[Token, ...]) -> int:
    return tokens[-1].end if tokens else 0
