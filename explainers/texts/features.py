"""What is scored: tokens, or words, sentences and lines made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from saliscope.explainers.errors import BadRequest, listing
from saliscope.explainers.texts.encoding import Encoding, Span, trim

Granularity = Literal["token", "word", "sentence", "line"]
GRANULARITIES: Final[tuple[Granularity, ...]] = get_args(Granularity)

_LONE = (
    r"\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U000323af"
)
_MARKS = r"\u0300-\u036f\u200d\u3099\u309a\ufe00-\ufe0f\uff9e\uff9f\U000e0100-\U000e01ef"
_WORD = re.compile(rf"[{_LONE}][{_MARKS}]*|[^\s{_LONE}]+")

_LINE = re.compile(r"[^\n\r\x0b\x0c\x85\u2028\u2029]+")
_NEWLINE = r"(?>\r\n?|[\n\x85\u2028\u2029])"
_BLANKS = r"[^\S\r\n\x85\u2028\u2029]*+"
# Possessive, and never begun in the middle of a run: a megabyte of dots takes no longer than one of words.
_MARK = re.compile(
    r"""(?P<western>(?<![.!?…])[.!?…]++)(?P<closing>["'”’»)\]]*+)(?=\s)"""
    r"""|[。！？｡]++["'”’）」』】]*+"""
    rf"|{_NEWLINE}{_BLANKS}{_NEWLINE}"
    rf"|{_NEWLINE}(?={_BLANKS}(?:[-*•]|\d{{1,3}}[.)])\s)"
)
_TITLES = frozenset(["mr", "mrs", "ms", "dr", "prof", "st", "vs", "cf", "e.g", "i.e", "fig", "approx"])
_MAY_END = frozenset(["etc", "inc", "ltd", "co", "jr", "sr", "al", "a.m", "p.m"])
_INITIALS = re.compile(r"(?:[^\W\d]\.)+[^\W\d]|(?!i)[^\W\d]")


@dataclass(frozen=True, slots=True)
class Feature:
    """A group of tokens over `text == source[start:end]`: indices of `tokens` and their model `positions`."""

    text: str
    start: int
    end: int
    tokens: tuple[int, ...]
    positions: tuple[int, ...]


def build_features(encoding: Encoding, granularity: str) -> tuple[Feature, ...]:
    """The features of a text in reading order; special tokens belong to none of them, and none crosses a segment.

    A token belongs to the word, sentence or line that holds its first visible character, a blank one to the one before.
    """
    if granularity not in GRANULARITIES:
        raise BadRequest(f"granularity {granularity!r} is none of {listing([*GRANULARITIES, 'regex:PATTERN'])}")
    if granularity == "token":
        return tuple(_feature(encoding, [index]) for index, token in enumerate(encoding.tokens) if not token.special)
    divide = {"word": word_spans, "sentence": sentence_spans, "line": line_spans}[granularity]
    features: list[Feature] = []
    for part in seen_parts(encoding):
        features += group_tokens(encoding, part, list(divide(part.text)))
    return tuple(features)


@dataclass(frozen=True, slots=True)
class Part:
    """A segment, or all of a text, as far as its last token goes: where it `start`s, and its `tokens` (indices)."""

    text: str
    start: int
    tokens: tuple[int, ...]


def seen_parts(encoding: Encoding) -> tuple[Part, ...]:
    """What of the segments, or of the text, the model sees, in order; features are made within one of them."""
    members = [(token.start, index) for index, token in enumerate(encoding.tokens) if not token.special]
    parts, at = [], 0
    for start, end in encoding.parts:
        first = at
        while at < len(members) and members[at][0] < end:
            at += 1
        own = tuple(index for _, index in members[first:at])
        parts.append(Part(encoding.text[start : encoding.tokens[own[-1]].end] if own else "", start, own))
    return tuple(parts)


def group_tokens(encoding: Encoding, part: Part, spans: Sequence[Span], cover: bool = True) -> list[Feature]:
    """The tokens of a part by the span of its text in which each begins; with `cover` those between two spans join the
    one before, else they are left out.
    """
    groups: dict[int, list[int]] = {}
    at = 0
    for index in part.tokens:
        begin = encoding.tokens[index].start - part.start
        while at + 1 < len(spans) and spans[at + 1][0] <= begin:
            at += 1
        if cover or (spans and spans[at][0] <= begin < spans[at][1]):
            groups.setdefault(at, []).append(index)
    return [_feature(encoding, group) for group in groups.values()]


def line_spans(text: str) -> Iterator[Span]:
    """Lines that hold something visible, without the blanks at their ends."""
    for match in _LINE.finditer(text):
        if match[0].strip():
            yield trim(text, *match.span())


def word_spans(text: str) -> Iterator[Span]:
    """Runs of visible characters; scripts written without blanks give one word a character."""
    return (match.span() for match in _WORD.finditer(text))


def sentence_spans(text: str) -> Iterator[Span]:
    """Sentences by their closing marks, blank lines and list items; blanks between them belong to none.

    Marks without a letter or digit of their own (". . .", "!!", an emoji) stay with the sentence before.
    """
    held: Span | None = None
    begin, looked, spoken = 0, 0, False
    for mark in (*_MARK.finditer(text), None):
        end = mark.end() if mark else len(text)
        spoken = spoken or any(map(str.isalnum, text[looked:end]))
        looked = end
        if mark and (not _ends(text, begin, mark) or not (spoken or held)):
            continue
        part = trim(text, begin, end)
        begin = end
        if held and not spoken:
            held = (held[0], part[1]) if text[slice(*part)].strip() else held
            continue
        if held:
            yield held
        held, spoken = part, False
    if held and text[slice(*held)].strip():
        yield held


def _ends(text: str, begin: int, mark: re.Match[str]) -> bool:
    """Whether a mark ends the sentence that began at `begin`: not after an abbreviation, initials or a list number."""
    dots = mark["western"]
    if dots is None:
        return True
    follows = next((char for char in text[mark.end() : mark.end() + 8] if not char.isspace()), "")
    if follows.islower() and (mark["closing"] or "…" in dots or dots.startswith("..")):
        return False
    if dots != "." or mark["closing"]:
        return True
    before = text[max(begin, mark.start() - 16) : mark.start()]
    word = before.split()[-1].lstrip("\"'“‘([").lower() if before.strip() and not before[-1].isspace() else ""
    if word == "no":
        return not follows.isdigit()
    if word in _MAY_END:
        return follows.isupper()
    numbers_item = word.isdigit() and len(word) < 4 and text[begin : mark.start()].strip() == word
    return not (numbers_item or word in _TITLES or _INITIALS.fullmatch(word))


def _feature(encoding: Encoding, tokens: list[int]) -> Feature:
    members = [encoding.tokens[index] for index in tokens]
    start, end = trim(encoding.text, members[0].start, members[-1].end)
    positions = tuple(position for token in members for position in token.positions)
    return Feature(encoding.text[start:end], start, end, tuple(tokens), positions)
