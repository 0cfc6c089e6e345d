"""Commands about the record at a place: what is known of it, other methods, a hidden word, findings to ignore."""

from __future__ import annotations

from typing import Any

import msgspec
from lsprotocol import types
from msgspec import UNSET

from saliscope.lsp.arguments import At, Token, offset_of, read
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.descriptions import explained
from saliscope.lsp.painting import piece_at
from saliscope.lsp.service import Service
from saliscope.lsp.words import named, prediction_of
from saliscope.protocol.asked import mask_of, source_of
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.protocol.live import LiveRecord
from saliscope.protocol.targets import read_target
from saliscope.protocol.workspace import GOLD


async def compare(service: Service, arguments: list[Any], token: Token) -> Any:
    """Explain a record with another method too; its scores stand beside the others in the hover."""
    wish = read(arguments, At)
    buffer, record, explanation = _explained(service, wish)
    source = source_of(explanation)
    client = await service.client()
    found = await client.explain(
        source.text,
        pair=source.pair,
        messages=source.messages,
        model=explanation.model,
        method=wish.what,
        granularity=explanation.granularity,
        target=_target(buffer, explanation),
    )
    buffer.compared.setdefault(explanation.text, {})[wish.what] = found
    service.tell(buffer, [record.id])
    return msgspec.to_builtins(found)


async def mask(service: Service, arguments: list[Any], token: Token) -> Any:
    """Predict the record with the word at a place hidden, and say what that changes."""
    wish = read(arguments, At)
    buffer, record, explanation = _explained(service, wish)
    offset = offset_of(buffer, wish.at)
    piece = piece_at(record, buffer.text, offset)
    if piece is None or record.stale:
        raise SaliscopeError("bad_request", "there is no word with a score at this place")
    # Before anything is waited for: an edit meanwhile would move another word there.
    word = named(buffer.text, piece)
    source, hidden = source_of(explanation), mask_of(explanation, [piece.number])
    client = await service.client()
    answer = await client.predict(
        source.text, pair=source.pair, messages=source.messages, mask=hidden, model=explanation.model
    )
    found = answer.predictions[0]
    before, after = _share(explanation.prediction), _share(found, explanation.prediction.label)
    message = f"without “{word}”: {prediction_of(found)}, before {prediction_of(explanation.prediction)}"
    service.server.window_show_message(types.ShowMessageParams(types.MessageType.Info, f"saliscope: {message}"))
    delta = None if before is None or after is None else after - before
    return {
        "word": word, "before": msgspec.to_builtins(explanation.prediction), "after": msgspec.to_builtins(found),
        "delta": delta, "message": message,
    }  # fmt: skip


async def ignore(service: Service, arguments: list[Any], token: Token) -> Any:
    """Show a finding of a record no more, as long as its text stays and the server runs."""
    wish = read(arguments, At)
    buffer = service.buffer(wish.uri)
    record = buffer.record_at(offset_of(buffer, wish.at))
    if record is None:
        raise SaliscopeError("bad_request", "there is no record at this place")
    buffer.ignored.add((wish.what, buffer.source_of(record)))
    service.news.add(buffer, [record.id])
    return {"ignored": wish.what}


async def copy_json(service: Service, arguments: list[Any], token: Token) -> Any:
    """The explanation of the record at a place."""
    buffer, record, _ = _explained(service, read(arguments, At))
    return explained(buffer, record)


async def known(service: Service, arguments: list[Any], token: Token) -> Any:
    """What is known of the record at a place, None without one: for plugins that show it while the caret moves."""
    wish = read(arguments, At)
    buffer = service.buffers.get(wish.uri)
    found = None if buffer is None else buffer.record_at(offset_of(buffer, wish.at))
    return None if buffer is None or found is None else explained(buffer, found)


def _explained(service: Service, wish: At) -> tuple[Buffer, LiveRecord, Explanation]:
    buffer = service.buffer(wish.uri)
    record = buffer.record_at(offset_of(buffer, wish.at))
    if record is None or record.explanation is None:
        raise SaliscopeError("bad_request", "there is no explained record at this place")
    return buffer, record, record.explanation


def _target(buffer: Buffer, explanation: Explanation) -> Any:
    """What an explanation is of, to ask for the same again; None: what is predicted."""
    found, asked = explanation.target, buffer.settings.target
    if found.kind == "class":
        return found.label
    if found.kind == "contrast":
        return {"kind": found.kind, "label": found.label, "against": found.against}
    return None if asked is UNSET or asked == GOLD else read_target(str(asked))


def _share(prediction: Prediction, label: str | None = None) -> float | None:
    return prediction.probabilities.get(label or prediction.label, prediction.value)
