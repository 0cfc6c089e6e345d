"""Terms that many messages share, with their limits."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

Count = Annotated[int, Meta(ge=0)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=4096)]
Granularity = Annotated[str, Meta(pattern=r"^(token|word|sentence|line|regex:[\s\S]+)$")]
Scale = Literal["logit", "margin", "logprob", "prob", "loss"]
TargetKind = Literal["class", "contrast", "next-token", "label-words", "continuation", "contrast-continuation"]
