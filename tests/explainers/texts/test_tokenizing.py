"""Encoding with special tokens and truncation, and the names of tokens."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import ByT5Tokenizer, CanineTokenizer

from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.texts.tokenizing import Tokenizing
from tests.explainers.tokenizers_zoo import NAMES_OF_ALL, TEXTS, Wrapped, check, get, zero_width

ENDLESS = 10**6
OFFSETS: dict[str, Callable[[str], Any]] = {
    "given": get,
    "missing": lambda name: Wrapped(get(name)),
    "zero": lambda name: Wrapped(get(name), zero_width),
}


def shares(name: str) -> bool:
    """Whether the tokenizer gives one span to all bytes of a run, so that cutting the run tells more than the whole."""
    return name == "unigram-bytes"


@pytest.mark.parametrize("offsets", OFFSETS)
@pytest.mark.parametrize("name", NAMES_OF_ALL)
@given(text=TEXTS, room=st.integers(0, 30))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_a_cut_text_keeps_as_many_whole_tokens_as_fit(name: str, offsets: str, text: str, room: int) -> None:
    tokenizing = Tokenizing(OFFSETS[offsets](name))
    whole = tokenizing.encode(text, ENDLESS)
    special = [token for token in whole.tokens if token.special]
    plain = [token for token in whole.tokens if not token.special]
    lead = next((index for index, token in enumerate(whole.tokens) if not token.special), 0)
    cut = tokenizing.encode(text, len(special) + room)
    check(cut)
    assert len(cut) <= len(special) + room
    assert [token.ids for token in cut.tokens if token.special] == [token.ids for token in special]
    assert whole.truncated_at is None
    assert (cut.truncated_at is None) == (len(whole) <= len(special) + room)
    if cut.truncated_at is None:
        assert cut.tokens == whole.tokens
        return
    kept = [token for token in cut.tokens if not token.special]
    assert cut.truncated_at == (kept[-1].end if kept else 0) < len(text)
    if not shares(name):
        assert kept == [token for token in plain if token.positions[-1] < lead + room]


@pytest.mark.parametrize("tokenizer", [ByT5Tokenizer(), CanineTokenizer()], ids=["byt5", "canine"])
@given(text=TEXTS, room=st.integers(0, 30))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_tokenizers_of_bytes_and_of_characters_have_one_token_a_character(tokenizer: Any, text: str, room: int) -> None:
    text = "".join(char for char in text if char.isalpha() or char.isspace())
    whole = Tokenizing(tokenizer).encode(text, ENDLESS)
    check(whole)
    assert "".join(token.text for token in whole.tokens if not token.special) == text
    assert all(len(token.text) == 1 for token in whole.tokens if not token.special)
    check(Tokenizing(tokenizer).encode(text, room + 2))


@pytest.mark.parametrize(
    ("name", "text", "max_tokens", "kept", "truncated_at"),
    [
        ("wordpiece", "the cast is the cast", 5, ["[CLS]", "the", "cast", "is", "[SEP]"], 11),
        ("wordpiece", "the cast is the cast", 2, ["[CLS]", "[SEP]"], 0),
        ("wordpiece", "the cast", 4, ["[CLS]", "the", "cast", "[SEP]"], None),
        ("wordpiece", "the cast \n", 4, ["[CLS]", "the", "cast", "[SEP]"], None),
        ("wordpiece", "", 2, ["[CLS]", "[SEP]"], None),
        ("llama2", "a☃☃", 5, ["<s>", "a"], 1),
        ("llama2", "a☃☃", 6, ["<s>", "a", "☃"], 2),
        ("llama2", "a  ☃", 5, ["<s>", "a", "  "], 3),
        ("bytes", "☃", 2, [], 0),
        ("bytes", "", 1, [], None),
    ],
)
def test_the_cut_is_after_the_last_character_that_was_read(
    name: str, text: str, max_tokens: int, kept: list[str], truncated_at: int | None
) -> None:
    encoding = Tokenizing(get(name)).encode(text, max_tokens)
    check(encoding)
    assert [token.text for token in encoding.tokens] == kept
    assert encoding.truncated_at == truncated_at


@pytest.mark.parametrize("offsets", OFFSETS)
def test_unknown_words_do_not_hide_where_a_long_text_was_cut(offsets: str) -> None:
    text = "☃ " * 500 + "the cast"
    encoding = Tokenizing(OFFSETS[offsets]("wordpiece")).encode(text, 12)
    check(encoding)
    assert encoding.truncated_at == 19
    assert [token.text for token in encoding.tokens][1:-1] == ["☃"] * 10


@pytest.mark.parametrize("offsets", OFFSETS)
@pytest.mark.parametrize("text", ["the plot is a mess ", "😀👨\u200d👩\u200d👧", "\n", "x"])
def test_a_long_text_is_cut_like_any_text(offsets: str, text: str) -> None:
    encoding = Tokenizing(OFFSETS[offsets]("bytes")).encode((text * (1 << 16))[: 1 << 16], 64)
    check(encoding)
    assert encoding.truncated_at is not None
    assert 0 < encoding.truncated_at < 600


def test_special_tokens_stand_at_the_ends_of_what_was_read() -> None:
    tokens = Tokenizing(get("wordpiece")).encode("  the cast is", 4).tokens
    assert [(token.start, token.end, token.special) for token in tokens] == [
        (0, 0, True),
        (2, 5, False),
        (6, 10, False),
        (10, 10, True),
    ]


@pytest.mark.parametrize("text", ["\ud800", "a film \udfff", "\ud83d\ude00"])
def test_half_a_surrogate_pair_is_refused_and_named(text: str) -> None:
    tokenizing = Tokenizing(get("bytes"))
    place = next(at for at, char in enumerate(text) if "\ud800" <= char <= "\udfff")
    with pytest.raises(BadRequest, match=f"text: character {place} is half of a surrogate pair"):
        tokenizing.encode(text, 64)
    with pytest.raises(BadRequest, match="target: character"):
        tokenizing.find_token(text)


def test_a_length_that_special_tokens_alone_exceed_is_refused() -> None:
    with pytest.raises(NotCapable, match="its special tokens alone are 2"):
        Tokenizing(get("wordpiece")).encode("the cast", 1)


@pytest.mark.parametrize("name", NAMES_OF_ALL)
def test_the_vocabulary_and_the_settings_of_the_tokenizer_stay_as_they_are(name: str) -> None:
    tokenizer, tokenizing = get(name), Tokenizing(get(name))
    tokenizing.encode("the cast", 64)
    before = tokenizer.backend_tokenizer.to_str()
    for text in ("", "the ☃ cast \n 😀", "the cast " * 50):
        tokenizing.encode(text, 16)
        tokenizing.mask_token(causal=True)
        tokenizing.token_text(5)
        tokenizing.find_token(text or "a")
    assert tokenizer.backend_tokenizer.to_str() == before


@pytest.mark.parametrize("name", NAMES_OF_ALL)
def test_every_entry_of_the_vocabulary_has_a_name_and_rows_beyond_it_have_their_number(name: str) -> None:
    tokenizing = Tokenizing(get(name))
    names = [tokenizing.token_text(token_id) for token_id in range(len(get(name)))]
    assert all(names)
    assert not any("\ufffd" in text for text in names)
    assert tokenizing.token_text(len(names) + 7) == f"<{len(names) + 7}>"


def test_a_continuation_prefers_the_form_that_is_a_single_token() -> None:
    llama2, wordpiece, wide = get("llama2"), get("wordpiece"), get("bytes")
    assert llama2.convert_ids_to_tokens(Tokenizing(llama2).find_token("the")) == "▁the"
    assert wordpiece.convert_ids_to_tokens(Tokenizing(wordpiece).find_token("the")) == "the"
    assert wide.convert_ids_to_tokens(Tokenizing(wide).find_token("the")) == "Ġthe"
    assert Tokenizing(wide).find_token("\n") == wide("\n")["input_ids"][0]


@pytest.mark.parametrize(("name", "text"), [("bytes", ""), ("wordpiece", ""), ("wordpiece", " "), ("dropping", "ಠ")])
def test_a_continuation_without_a_token_is_refused(name: str, text: str) -> None:
    with pytest.raises(BadRequest, match="gives no token"):
        Tokenizing(get(name)).find_token(text)


def test_what_stands_for_nothing_is_the_mask_else_dots_else_unk_else_pad() -> None:
    wordpiece, plain = get("wordpiece"), get("unigram")
    assert Tokenizing(wordpiece).mask_token(causal=False) == wordpiece.mask_token_id
    assert Tokenizing(wordpiece).mask_token(causal=True) == wordpiece.mask_token_id
    assert Tokenizing(plain).mask_token(causal=False) == plain.unk_token_id
    dots = Tokenizing(get("bytes")).mask_token(causal=True)
    assert dots in (get("bytes")(" ...")["input_ids"][0], get("bytes")("...")["input_ids"][0])


def test_dots_of_a_single_token_are_preferred_and_a_bare_tokenizer_has_nothing_to_mask_with() -> None:
    ids = {"...": [1, 1, 1], " ...": [7]}

    class Bare(SimpleNamespace):
        def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
            return {"input_ids": ids.get(text, [])}

    bare = Bare(mask_token_id=None, unk_token_id=None, pad_token_id=3)
    assert Tokenizing(bare).mask_token(causal=True) == 7
    assert Tokenizing(bare).mask_token(causal=False) == 3
    bare.pad_token_id = None
    assert Tokenizing(bare).mask_token(causal=False) is None
