"""Character spans of tokens: exact for every tokenizer, whatever it says about offsets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings

from saliscope.explainers.texts.encoding import Encoding, build_tokens
from saliscope.explainers.texts.spans import Piece, find_spans
from saliscope.explainers.texts.tokenizing import Tokenizing
from tests.explainers.tokenizers_zoo import EXACT, NAMES_OF_ALL, TEXTS, Wrapped, check, get, seen, visible, zero_width

ENDLESS = 10**6
SLOW_LISTS = settings(max_examples=30, deadline=None, derandomize=True)


def encode(tokenizer: Any, text: str) -> Encoding:
    encoding = Tokenizing(tokenizer).encode(text, ENDLESS)
    check(encoding)
    return encoding


def texts(encoding: Encoding) -> list[str]:
    return [token.text for token in encoding.tokens if not token.special]


@pytest.mark.parametrize("name", NAMES_OF_ALL)
@given(text=TEXTS)
@SLOW_LISTS
def test_tokens_cut_out_their_text_in_order_and_miss_nothing_that_the_tokenizer_saw(name: str, text: str) -> None:
    encoding = encode(get(name), text)
    got = get(name)(text, return_offsets_mapping=True)
    assert encoding.ids.tolist() == got["input_ids"]
    theirs = {at for start, end in got["offset_mapping"] for at in range(start, end)}
    ours = {at for token in seen(encoding) for at in token}
    if name != "dropping":  # its own offsets are wrong after each character that it drops
        assert theirs & set(visible(text)) <= ours


@pytest.mark.parametrize("name", NAMES_OF_ALL)
@given(text=TEXTS)
@SLOW_LISTS
def test_without_offsets_every_invariant_still_holds(name: str, text: str) -> None:
    encoding = encode(Wrapped(get(name)), text)
    assert encoding.ids.tolist() == get(name)(text)["input_ids"]


@pytest.mark.parametrize("name", EXACT)
@given(text=TEXTS)
@SLOW_LISTS
def test_rebuilt_spans_are_those_of_the_tokenizer_where_its_own_are_right(name: str, text: str) -> None:
    assume("\ufffd" not in text)  # cannot be told from a part of a character
    assert seen(encode(Wrapped(get(name)), text)) == seen(encode(get(name), text))


@pytest.mark.parametrize("name", EXACT)
@given(text=TEXTS)
@SLOW_LISTS
def test_zero_width_offsets_of_plain_words_are_mended(name: str, text: str) -> None:
    assume("\ufffd" not in text)
    assert seen(encode(Wrapped(get(name), zero_width), text)) == seen(encode(get(name), text))


def in_bytes(text: str, offsets: list[Any]) -> list[Any]:
    return [(len(text[:start].encode()), len(text[:end].encode())) for start, end in offsets]


def shifted(text: str, offsets: list[Any]) -> list[Any]:
    return [(start + 2, end + 2) for start, end in offsets]


def reversed_(text: str, offsets: list[Any]) -> list[Any]:
    return offsets[::-1]


def nothing(text: str, offsets: list[Any]) -> list[Any]:
    return [(0, 0)] * len(offsets)


def all_of_it(text: str, offsets: list[Any]) -> list[Any]:
    return [(0, len(text))] * len(offsets)


@pytest.mark.parametrize("lie", [in_bytes, shifted, reversed_, nothing])
@pytest.mark.parametrize("name", ["bytes", "llama3", "wordpiece"])
def test_offsets_that_cannot_be_true_are_replaced(name: str, lie: Any) -> None:
    text = "the café is  wonderful 😀 and the cast"
    honest = encode(get(name), text)
    assert texts(encode(Wrapped(get(name), lie), text)) == texts(honest)


@pytest.mark.parametrize("lie", [in_bytes, shifted, reversed_, nothing, all_of_it, zero_width])
@pytest.mark.parametrize("name", ["bytes-prefix-trim", "unigram", "wordpiece", "dropping"])
@given(text=TEXTS)
@settings(max_examples=12, deadline=None, derandomize=True)
def test_no_lie_about_offsets_breaks_an_invariant(name: str, lie: Any, text: str) -> None:
    assert encode(Wrapped(get(name), lie), text).text == text


EXAMPLES: dict[str, tuple[str, str, list[str]]] = {
    "an emoji of several bytes": ("bytes", "a ☃ b", ["a", "☃", "b"]),
    "a character of the template's alphabet": ("llama3", "<s>☃", ["<s>", "☃"]),
    "a ligature": ("unigram", "a ﬁ", ["ﬁ"]),
    "one character for eighteen": ("unigram", "the ﷺ", ["ﷺ"]),
    "letters that grow in lower case": ("wordpiece", "a İ a", ["a", "İ"]),
    "words between blanks": ("wordpiece", " \t a\r\n\xa0the ", ["a", "the"]),
    "lone blanks": ("llama3", "☃\n\n☃", ["☃", "\n\n"]),
    "trimmed lone blanks": ("bytes-trim", "☃   ☃", ["☃", " "]),
    "nothing but blanks": ("llama2", " ", [" "]),
    "a dummy blank before the text": ("unigram", "☃", ["☃"]),
    "bytes for what is unknown": ("llama2", "a☃b", ["a", "☃", "b"]),
    "unknown words": ("wordpiece", "the ☃☃ a", ["the", "☃☃", "a"]),
    "an unknown word of a thousand letters": ("wordpiece", f"a {'y' * 1000} the", ["a", "y" * 1000, "the"]),
    "a thousand blanks": ("wordpiece", f"a{' ' * 1000}the", ["a", "the"]),
    "template tokens in the text": ("wordpiece", "the [SEP] a", ["the", "[SEP]", "a"]),
    "dropped control characters": ("wordpiece", "\x07th\x00e\x07", ["th\x00e"]),
    "a replacement character": ("bytes", "a\ufffda", ["a", "\ufffd"]),
}


@pytest.mark.parametrize("offsets", ["given", "zero-width", "missing"])
@pytest.mark.parametrize("case", EXAMPLES)
def test_tokens_are_whole_characters_of_the_source(case: str, offsets: str) -> None:
    name, text, expected = EXAMPLES[case]
    tokenizer = {"given": get(name), "zero-width": Wrapped(get(name), zero_width), "missing": Wrapped(get(name))}
    assert set(expected) <= set(texts(encode(tokenizer[offsets], text)))


def test_ids_that_share_a_character_are_one_token() -> None:
    spans = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (3, 4), (0, 0)]
    special = [True, False, False, False, False, False, True]
    tokens = build_tokens("😀😁 x", [9, 1, 2, 3, 4, 5, 8], special, spans, str)
    assert [(token.text, token.positions) for token in tokens] == [
        ("9", (0,)),
        ("😀😁", (1, 2, 3)),
        ("x", (4, 5)),
        ("8", (6,)),
    ]


def test_ids_without_a_character_join_their_neighbour_and_at_the_end_the_one_before() -> None:
    tokens = build_tokens("ab", [1, 2, 3, 4], [False] * 4, [(0, 0), (0, 1), (1, 2), (2, 2)], str)
    assert [(token.text, token.positions) for token in tokens] == [("a", (0, 1)), ("b", (2, 3))]


def test_where_no_id_has_a_character_the_text_is_one_token_and_an_empty_text_has_none() -> None:
    assert [token.text for token in build_tokens("\u200b", [1, 2], [False] * 2, [(0, 0)] * 2, str)] == ["\u200b"]
    assert [token.special for token in build_tokens("", [1], [False], [(0, 0)], str)] == [True]


def test_spans_that_go_back_and_forth_are_joined_and_not_reordered() -> None:
    tokens = build_tokens("abcd", [1, 2, 3, 4], [False] * 4, [(0, 1), (2, 3), (1, 2), (0, 4)], str)
    assert [(token.text, token.positions) for token in tokens] == [("abcd", (0, 1, 2, 3))]


@pytest.mark.parametrize("offsets", [None, [(0, 3), (3, 3), (3, 3), (7, 8)]])
def test_words_that_nobody_knows_share_the_gap_between_those_that_are_found(offsets: Any) -> None:
    said = {1: "the", 2: " [UNK]", 3: " [UNK]", 4: "x"}

    def read(ids: Any, opening: bool) -> list[Piece]:
        return [Piece(at, at, said[token_id]) for at, token_id in enumerate(ids)]

    assert find_spans("the ☃ ♥x", [1, 2, 3, 4], [False] * 4, offsets, read) == [(0, 3), (4, 5), (6, 7), (7, 8)]


class Counting(Wrapped):
    """A tokenizer that counts what it decodes."""

    num_decoded = 0

    def decode(self, ids: list[int], **options: Any) -> str:
        self.num_decoded += len(ids)
        return str(self._tokenizer.decode(ids, **options))


@pytest.mark.parametrize("distort", [None, zero_width])
@pytest.mark.parametrize("name", ["bytes", "llama2", "wordpiece", "unigram"])
def test_reading_a_text_ten_times_as_long_decodes_no_more(name: str, distort: Any) -> None:
    counts = []
    for times in (10, 100):
        tokenizer = Counting(get(name), distort)
        encode(tokenizer, "the plot is  a mess 😀 ☃ 你好 and naïve\n\n" * times)
        counts.append(tokenizer.num_decoded)
    assert counts[1] <= counts[0] + 50
