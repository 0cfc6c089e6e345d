"""What is scored: tokens, or words and sentences made of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from saliscope.explainers.encoding import Encoding
from saliscope.explainers.errors import BadRequest, listing

Granularity = Literal["token", "word", "sentence"]
GRANULARITIES: Final[tuple[Granularity, ...]] = get_args(Granularity)

_SENTENCE_END = re.compile(r"""[.!?…]+["'”’)\]]*(?=\s)|[。！？｡]+["'”’）」』]*|\n\s*\n|\n(?=\s*[-*•\d])""")
_ABBREVIATION = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|no|jr|sr|inc|cf)|\b[a-z])\.$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Feature:
    """A group of tokens over `text == source[start:end]`: indices of `tokens` and their model `positions`."""

    text: str
    start: int
    end: int
    tokens: tuple[int, ...]
    positions: tuple[int, ...]


def build_features(encoding: Encoding, granularity: str) -> tuple[Feature, ...]:
    """The features of a text in reading order; special tokens belong to none of them.

    A token belongs to the word or sentence that holds its first visible character (METHODS 0.3).
    """
    if granularity not in GRANULARITIES:
        raise BadRequest(f"granularity {granularity!r} is none of {listing(GRANULARITIES)}")
    visible = [(index, token) for index, token in enumerate(encoding.tokens) if not token.special]
    if granularity == "token":
        return tuple(_feature(encoding, [index]) for index, _ in visible)
    seen_to = max((token.end for _, token in visible), default=0)
    cut = encoding.text[:seen_to]
    spans = list(word_spans(cut) if granularity == "word" else sentence_spans(cut))
    groups: dict[int, list[int]] = {}
    at = 0
    for index, token in visible:
        while at + 1 < len(spans) and spans[at + 1][0] <= token.start:
            at += 1
        groups.setdefault(at, []).append(index)
    return tuple(_feature(encoding, group) for group in groups.values())


def word_spans(text: str) -> Iterable[tuple[int, int]]:
    """Runs of visible characters; scripts written without blanks give one word a character."""
    for run in re.finditer(r"\S+", text):
        start = run.start()
        for at in range(run.start(), run.end()):
            if _stands_alone(text[at]):
                if start < at:
                    yield start, at
                end = at + 1
                while end < run.end() and unicodedata.combining(text[end]):
                    end += 1
                yield at, end
                start = end
        if start < run.end():
            yield start, run.end()


def sentence_spans(text: str) -> Iterable[tuple[int, int]]:
    """Sentences by their closing marks, blank lines and list items; blanks between them belong to none."""
    start = 0
    for mark in _SENTENCE_END.finditer(text):
        if mark.end() <= start or _ABBREVIATION.search(text[start : mark.end()]):
            continue
        yield from _stripped(text, start, mark.end())
        start = mark.end()
    yield from _stripped(text, start, len(text))


def _stripped(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    cut = text[start:end]
    if cut.strip():
        yield start + len(cut) - len(cut.lstrip()), end - (len(cut) - len(cut.rstrip()))


def _stands_alone(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\U00020000" <= char <= "\U0003134f"


def _feature(encoding: Encoding, tokens: list[int]) -> Feature:
    members = [encoding.tokens[index] for index in tokens]
    start, end = members[0].start, max(token.end for token in members)
    positions = tuple(position for token in members for position in token.positions)
    return Feature(encoding.text[start:end], start, end, tuple(tokens), positions)
