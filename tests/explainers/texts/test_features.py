"""Features: tokens, words and sentences over the non-special tokens."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.explainers.errors import BadRequest
from saliscope.explainers.texts.features import GRANULARITIES, Feature, build_features, sentence_spans, word_spans
from saliscope.explainers.texts.tokenizing import Tokenizing
from tests.explainers.tokenizers_zoo import NAMES_OF_ALL, TEXTS, get

LONG = 1 << 20


def features(name: str, text: str, granularity: str, max_tokens: int = LONG) -> tuple[Feature, ...]:
    return build_features(Tokenizing(get(name)).encode(text, max_tokens), granularity)


def words(text: str) -> list[str]:
    return [text[start:end] for start, end in word_spans(text)]


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", NAMES_OF_ALL)
@given(text=TEXTS, max_tokens=st.integers(2, 40))
@settings(max_examples=12, deadline=None, derandomize=True)
def test_features_divide_the_tokens_in_order_and_hold_no_special_one(
    name: str, granularity: str, text: str, max_tokens: int
) -> None:
    encoding = Tokenizing(get(name)).encode(text, max_tokens)
    found = build_features(encoding, granularity)
    plain = [index for index, token in enumerate(encoding.tokens) if not token.special]
    assert [index for feature in found for index in feature.tokens] == plain
    for feature in found:
        members = [encoding.tokens[index] for index in feature.tokens]
        assert feature.positions == tuple(position for token in members for position in token.positions)
        assert feature.text == text[feature.start : feature.end] != ""
        assert members[0].start <= feature.start < feature.end <= members[-1].end
        assert feature.text == feature.text.strip() or not feature.text.strip()
        if granularity == "token":
            assert (feature.start, feature.end) == (members[0].start, members[0].end)


@given(text=TEXTS)
@settings(deadline=None, derandomize=True)
def test_words_and_sentences_are_ordered_and_cover_everything_visible(text: str) -> None:
    for spans in (list(word_spans(text)), list(sentence_spans(text))):
        assert all(start < end for start, end in spans)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        kept = "".join(text[start:end] for start, end in spans)
        assert "".join(kept.split()) == "".join(text.split())
        assert all(text[start:end].strip() == text[start:end] for start, end in spans)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("don't stop, it's 3.5", ["don't", "stop,", "it's", "3.5"]),
        (" a\tb\r\nc\xa0d\u2028e ", ["a", "b", "c", "d", "e"]),
        ("你好 world", ["你", "好", "world"]),
        ("see電影now", ["see", "電", "影", "now"]),
        ("ひらカナ。", ["ひ", "ら", "カ", "ナ", "。"]),
        ("か\u3099葛\U000e0100ｶﾞ", ["か\u3099", "葛\U000e0100", "ｶﾞ"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("👨\u200d👩\u200d👧 café cafe\u0301", ["👨\u200d👩\u200d👧", "café", "cafe\u0301"]),
        ("שלום עולם", ["שלום", "עולם"]),
        (" \n ", []),
    ],
)
def test_words_follow_blanks_and_are_one_character_in_chinese_and_japanese(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It was 3.5 of 10. Dr. Who said so.", ["It was 3.5 of 10.", "Dr. Who said so."]),
        ("He paid 3.5. Then he left!", ["He paid 3.5.", "Then he left!"]),
        ("J. K. Rowling, e.g. in the U.S. today", ["J. K. Rowling, e.g. in the U.S. today"]),
        ("Acme Inc. was late. Acme Inc. The end", ["Acme Inc. was late.", "Acme Inc.", "The end"]),
        ("She said no. He saw no. 5.", ["She said no.", "He saw no. 5."]),
        ("So do I. Then it ends", ["So do I.", "Then it ends"]),
        ("it is ... dull. Well... Good", ["it is ... dull.", "Well...", "Good"]),
        ("So long… and dull… Yes", ["So long… and dull…", "Yes"]),
        ("a mess . . . and dull .", ["a mess . . .", "and dull ."]),
        ("Really?! Yes!! 😀", ["Really?!", "Yes!! 😀"]),
        ('"Why?" he asked. "So!" She left.', ['"Why?" he asked.', '"So!"', "She left."]),
        ("(It ended.) Then [this.] Ok", ["(It ended.)", "Then [this.]", "Ok"]),
        ("你好。世界！？「好。」然后", ["你好。", "世界！？", "「好。」", "然后"]),
        ("one\n\ntwo\r\n \r\nthree\rstill\u2029\u2029four", ["one", "two", "three\rstill", "four"]),
        ("list:\n- one\n2. two\nand so on", ["list:", "- one", "2. two\nand so on"]),
        ("1. First", ["1. First"]),
        ("wrapped\nlines in\r\n1999 hold", ["wrapped\nlines in\r\n1999 hold"]),
        ("...", ["..."]),
        ("!!! so", ["!!! so"]),
        (" \n\n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize("unit", [".", ". ", "! ", "a. ", "1. ", "\n", "\n ", "\r", ' "', "mr. ", "no. 1 ", "…\n"])
def test_a_long_text_of_marks_alone_is_divided_in_one_pass(unit: str) -> None:
    text = (unit * LONG)[: LONG // 16]
    spans = list(sentence_spans(text))
    assert all(start < end for start, end in spans)


def test_a_token_belongs_to_the_word_of_its_first_visible_character() -> None:
    found = features("bytes", "the plot \n is  a mess", "word")
    assert [feature.text for feature in found] == ["the", "plot", "is", "a", "mess"]


def test_blanks_before_the_first_word_belong_to_it_and_blanks_alone_are_one_feature() -> None:
    assert [feature.text for feature in features("bytes", "\n\n the plot", "word")] == ["the", "plot"]
    assert len(features("bytes", " \n ", "word")) == len(features("bytes", " \n ", "sentence")) == 1


def test_features_end_where_the_text_was_cut() -> None:
    found = features("wordpiece", "the plot is a mess. the cast is wonderful.", "sentence", max_tokens=7)
    assert len(found) == 1
    assert found[0].end < len("the plot is a mess.") + 5


def test_an_empty_text_has_no_features() -> None:
    assert [features("wordpiece", "", granularity) for granularity in GRANULARITIES] == [()] * 4


def test_an_unknown_granularity_lists_the_valid_ones() -> None:
    with pytest.raises(BadRequest, match="token, word, sentence"):
        features("bytes", "the plot", "page")
