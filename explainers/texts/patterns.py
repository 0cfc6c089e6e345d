"""Features by a person's own pattern: `regex:PATTERN` scores what it matches, and leaves the rest as it is."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Final

from saliscope.explainers.answers import Answer, Solved
from saliscope.explainers.errors import BadRequest
from saliscope.explainers.queries import Query, Solve
from saliscope.explainers.texts.encoding import Encoding, Span
from saliscope.explainers.texts.features import Feature, build_features, group_tokens, seen_parts
from saliscope.explainers.texts.fence import ExhaustedError, fenced

PREFIX: Final = "regex:"
MOST_CHARACTERS: Final = 1000


def grouping(encoding: Encoding, granularity: str) -> Generator[Query, Answer, tuple[Feature, ...]]:
    """The features of a text; matches of a pattern are found beside the device.

    Every match that is not empty is a feature, of the tokens whose first visible character it holds; tokens in no match
    are in no feature. A pattern that is none, too long, or matches no token is `BadRequest`.
    """
    if not granularity.startswith(PREFIX):
        return build_features(encoding, granularity)
    pattern = granularity.removeprefix(PREFIX)
    if not pattern:
        raise BadRequest("granularity: nothing follows `regex:`; try regex:[^,]+ for what stands between commas")
    if len(pattern) > MOST_CHARACTERS:
        raise BadRequest(
            f"granularity: the pattern has {len(pattern):,} characters, over the limit of {MOST_CHARACTERS:,}"
        )
    parts = seen_parts(encoding)
    answer = yield Solve(find_matches, (pattern, tuple(part.text for part in parts)), is_fenced=True)
    assert isinstance(answer, Solved)
    found: tuple[tuple[Span, ...], ...] = answer.result
    if not any(found):
        raise BadRequest(f"granularity: {pattern!r} matches nothing in this text; try regex:[^,]+ or regex:\\w+")
    features = [
        feature
        for part, spans in zip(parts, found, strict=True)
        for feature in group_tokens(encoding, part, spans, cover=False)
    ]
    if not features:
        raise BadRequest(
            f"granularity: no token begins in a match of {pattern!r}; match whole words, as regex:\\w+ does"
        )
    return tuple(features)


def find_matches(pattern: str, texts: Sequence[str]) -> tuple[tuple[Span, ...], ...]:
    """Where a pattern (of Python's `re`) matches in each text, without empty matches; behind the fence."""
    try:
        answer = fenced("find_matches", pattern, list(texts))
    except ExhaustedError as error:
        raise BadRequest(
            f"granularity: {pattern!r} was stopped, it took {error}; avoid repetitions inside repetitions"
        ) from None
    if "refused" in answer:
        raise BadRequest(f"granularity: {pattern!r} is no pattern of Python's re: {answer['refused']}")
    return tuple(tuple((int(start), int(end)) for start, end in spans) for spans in answer["spans"])
