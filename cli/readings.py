"""Where the two sides of a diff come from: outputs of jobs, or models and prompts asked now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from saliscope.cli.contrast import Reading, Scored
from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import open_source

if TYPE_CHECKING:
    from saliscope.cli.session import Session

#: What stands in a prompt for the text of a row.
PLACE: Final = "{text}"
#: Texts of one request.
_AT_ONCE: Final = 8


class Side(NamedTuple):
    """What is asked about each text: a model, with the text as it is or within a prompt."""

    model: str | None
    prompt: str = PLACE


def is_output(name: str) -> bool:
    """Whether this names the output of a job."""
    return Path(name).suffix in (".jsonl", ".parquet") and Path(name).is_file()


def output_rows(file: str) -> Iterator[tuple[int, Reading | None]]:
    """The rows of an output; None for one that failed. `bad_request` for a file that is none."""
    for row in open_source(file).rows(0):
        if not isinstance(row, dict) or not {"row", "text", "scores", "starts", "ends", "code"} <= row.keys():
            raise SaliscopeError("bad_request", f"{file} is no output of `saliscope dataset explain`")
        if row["code"] is not None:
            yield row["row"], None
            continue
        spans = [Scored(*span) for span in zip(row["starts"], row["ends"], row["scores"], strict=True)]
        yield row["row"], Reading(row["text"], row["prediction"], row["probability"], row["target"], spans)


def sides_of(a: str, b: str, model: str | None) -> tuple[Side, Side]:
    """Two prompts (with `{text}` in each), or two models."""
    if (PLACE in a) != (PLACE in b):
        raise SaliscopeError("bad_request", f"give two prompts, each with {PLACE}, or two models, or two outputs")
    return (Side(model, a), Side(model, b)) if PLACE in a else (Side(a), Side(b))


def asked_rows(opened: Session, side: Side, texts: list[str], options: dict[str, Any]) -> Iterator[Reading | None]:
    """What a side says of texts, in order; None for one that it cannot explain."""
    for at in range(0, len(texts), _AT_ONCE):
        some = texts[at : at + _AT_ONCE]
        opened.spinner.progress(f"asking {side.model or 'the model'}", at, len(texts))
        try:
            yield from _ask(opened, side, some, options)
        except SaliscopeError as error:
            if error.code in ("unknown_model", "unknown_method", "unavailable", "loading_failed"):
                raise
            # One of them is at fault.
            for text in some:
                yield from _alone(opened, side, text, options)


def _alone(opened: Session, side: Side, text: str, options: dict[str, Any]) -> Iterator[Reading | None]:
    try:
        yield from _ask(opened, side, [text], options)
    except SaliscopeError as error:
        if error.code not in ("bad_request", "too_large", "oom", "timeout", "internal"):
            raise
        yield None


def _ask(opened: Session, side: Side, texts: list[str], options: dict[str, Any]) -> list[Reading | None]:
    before = side.prompt.index(PLACE)
    whole = [side.prompt.replace(PLACE, text, 1) for text in texts]
    answers = opened.client.explain(whole, model=side.model, priority="bulk", **options)
    found: list[Reading | None] = []
    for text, answer in zip(texts, answers, strict=True):
        # Of a prompt only what stands in the place of the text is the same on both sides.
        spans = [
            Scored(max(feature.start - before, 0), min(feature.end - before, len(text)), score)
            for feature, score in zip(answer.features, answer.scores, strict=True)
            if feature.end > before and feature.start < before + len(text)
        ]
        said = answer.prediction
        found.append(Reading(text, said.label, said.probabilities.get(said.label), answer.target.label, spans))
    return found
