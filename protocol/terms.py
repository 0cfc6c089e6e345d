"""Terms that many messages share, with their limits."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta

PROTOCOL_VERSION: Final = 1

Count = Annotated[int, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=4096)]
GRANULARITY_PATTERN: Final = r"^(token|word|sentence|line|regex:[\s\S]+)$"
Granularity = Annotated[str, Meta(pattern=GRANULARITY_PATTERN)]
KeepAlive = Annotated[float, Meta(ge=-1e9, le=1e9)]
Scale = Literal["logit", "margin", "logprob", "prob", "loss"]
Priority = Literal["interactive", "request", "bulk"]
Milliseconds = Annotated[float, Meta(gt=0, le=86_400_000)]
Rows = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Key = Annotated[str, Meta(min_length=1, max_length=256)]
MaskKind = Literal["replace", "drop", "attention"]
TargetKind = Literal["class", "contrast", "next-token", "label-words", "continuation", "contrast-continuation"]

#: Fields that say how a request is run, not what is asked.
OPTIONS: Final = ("priority", "max_ms", "max_rows", "supersede")

#: What a string that does not match should have been, in words.
IN_WORDS: Final = {GRANULARITY_PATTERN: "token, word, sentence, line, or regex:PATTERN"}
