"""`workspace/executeCommand`: each command takes a list of arguments and answers with plain JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from lsprotocol import types
from msgspec import UNSET

from saliscope import __version__
from saliscope.lsp.arguments import At, Choice, Drawn, Named, Place, offset_of, read
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.descriptions import debugged, described, explained, summed
from saliscope.lsp.painting import piece_at
from saliscope.lsp.progress import Progress
from saliscope.lsp.service import Service
from saliscope.lsp.words import named, prediction_of
from saliscope.protocol.asked import mask_of, source_of
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.protocol.live import LiveRecord
from saliscope.protocol.targets import read_target
from saliscope.protocol.workspace import GOLD

Token = types.ProgressToken | None
Command = Callable[[Service, list[Any], Token], Awaitable[Any]]


async def explain(service: Service, arguments: list[Any], token: Token) -> Any:
    """Explain now what is at a place, or the whole document, and say it."""
    place = read(arguments, Place)
    buffer = await service.begun(place.uri)
    _live(buffer)
    service.flush(buffer)
    if place.at is None:
        return await run_file(service, [place.uri], token)
    offset = offset_of(buffer, place.at)
    service.focus(buffer, offset)
    record = await _final(service, buffer, offset)
    return explained(buffer, record)


async def run_file(service: Service, arguments: list[Any], token: Token) -> Any:
    """Explain the whole document, and say what is predicted of each record."""
    buffer = await service.begun(read(arguments, Place).uri)
    live = _live(buffer)
    service.flush(buffer)
    bar = Progress(service.server, "Explaining the document", shown=service.abilities.progress, token=token)
    service.tasks.name_progress(bar.token)

    def report() -> bool:
        done = sum(record.state == "final" for record in live.records)
        bar.report(done, live.num_explainable, f"{done} of {live.num_explainable} records")
        return False

    try:
        async with bar:
            await service.wait(buffer, report)
            while live is not _live(service.buffer(buffer.uri)):
                # It was opened anew meanwhile: by a trigger, or a model that is there now.
                live = _live(buffer)
                await service.wait(buffer, report)
    except asyncio.CancelledError:
        service.hold(buffer)
        raise
    if (problem := live.problem) is not None:
        raise problem
    if live.failed is not None:
        raise SaliscopeError(live.failed.code, live.failed.message)
    rows = [described(buffer, record) for record in live.records]
    wrong = sum(any(one.kind == "mismatch" for one in record.findings) for record in live.records)
    return {"uri": buffer.uri, "version": buffer.version, "mispredicted": wrong, "records": rows}


async def set_model(service: Service, arguments: list[Any], token: Token) -> Any:
    """Choose the model."""
    return _choose(service, "model", read(arguments, Choice))


async def set_method(service: Service, arguments: list[Any], token: Token) -> Any:
    """Choose the method."""
    return _choose(service, "method", read(arguments, Choice))


async def set_target(service: Service, arguments: list[Any], token: Token) -> Any:
    """Choose what is explained."""
    return _choose(service, "target", read(arguments, Choice))


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
    source, hidden = source_of(explanation), mask_of(explanation, [piece.number])
    client = await service.client()
    answer = await client.predict(
        source.text, pair=source.pair, messages=source.messages, mask=hidden, model=explanation.model
    )
    found = answer.predictions[0]
    before, after = _share(explanation.prediction), _share(found, explanation.prediction.label)
    word = named(buffer.text, piece)
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


async def document(service: Service, arguments: list[Any], token: Token) -> Any:
    """How far a document is explained, and why not further; None for one that is not open."""
    buffer = service.buffers.get(read(arguments, Place).uri)
    return None if buffer is None else summed(buffer)


async def decorations(service: Service, arguments: list[Any], token: Token) -> Any:
    """Have what is drawn in a document sent again, to a client that had another text when it came."""
    wish = read(arguments, Drawn)
    service.news.repeat(service.buffer(wish.uri), wish.ids)
    return {}


async def download(service: Service, arguments: list[Any], token: Token) -> Any:
    """Fetch a model from its hub, and load it."""
    name = read(arguments, Named).name
    if not name:
        raise SaliscopeError("bad_request", "say which model")
    return msgspec.to_builtins(await service.models.load(await service.client(), name, download=True, token=token))


async def models(service: Service, arguments: list[Any], token: Token) -> Any:
    """The models that there are."""
    return msgspec.to_builtins(await (await service.client()).models())


async def methods(service: Service, arguments: list[Any], token: Token) -> Any:
    """The methods that there are."""
    return msgspec.to_builtins(await (await service.client()).methods())


async def cancel(service: Service, arguments: list[Any], token: Token) -> Any:
    """Cancel what has a progress bar: all of it, or what has this token."""
    name = read(arguments, Named).name
    if name is None:
        return {"cancelled": service.tasks.cancel_work()}
    return {"cancelled": [name] if service.tasks.cancel_progress(name) else []}


async def status(service: Service, arguments: list[Any], token: Token) -> Any:
    """How the session and the daemon are."""
    session = service.session
    found = None if session is None or session.client is None else msgspec.to_builtins(await session.client.status())
    return {"session": None if session is None else session.state, "daemon": found, "tasks": service.tasks.names}


async def restart_daemon(service: Service, arguments: list[Any], token: Token) -> Any:
    """End the daemon; the session starts the next one and opens its documents there."""
    return await service.restart()


async def print_debug_information(service: Service, arguments: list[Any], token: Token) -> Any:
    """Versions, settings and documents, without a word of their texts."""
    session = service.session
    return {
        "version": __version__,
        "python": sys.version.split()[0],
        "session": None if session is None else session.state,
        "abilities": {name: getattr(service.abilities, name) for name in service.abilities.__slots__},
        "documents": [debugged(buffer) for buffer in service.buffers.values()],
    }


COMMANDS: Final[dict[str, Command]] = {
    "saliscope.explain": explain,
    "saliscope.runFile": run_file,
    "saliscope.setModel": set_model,
    "saliscope.setMethod": set_method,
    "saliscope.setTarget": set_target,
    "saliscope.compare": compare,
    "saliscope.mask": mask,
    "saliscope.ignore": ignore,
    "saliscope.copyJson": copy_json,
    "saliscope.record": known,
    "saliscope.document": document,
    "saliscope.decorations": decorations,
    "saliscope.download": download,
    "saliscope.models": models,
    "saliscope.methods": methods,
    "saliscope.cancel": cancel,
    "saliscope.status": status,
    "saliscope.restartDaemon": restart_daemon,
    "saliscope.printDebugInformation": print_debug_information,
}


def _choose(service: Service, name: str, choice: Choice) -> dict[str, Any]:
    if name == "target" and isinstance(choice.what, str):
        read_target(choice.what)
    chosen = service.preferences.commanded if choice.uri is None else service.buffer(choice.uri).commanded
    if choice.what is None:
        chosen.pop(name, None)
    else:
        chosen[name] = choice.what
    concerned = list(service.buffers.values()) if choice.uri is None else [service.buffer(choice.uri)]
    for buffer in concerned:
        service.explain(buffer)
    return {name: choice.what, "documents": [buffer.uri for buffer in concerned]}


def _live(buffer: Buffer) -> Any:
    if buffer.live is None:
        raise SaliscopeError("bad_request", buffer.limit or "no model is chosen; set saliscope.model")
    return buffer.live


def _explained(service: Service, wish: At) -> tuple[Buffer, LiveRecord, Explanation]:
    buffer = service.buffer(wish.uri)
    record = buffer.record_at(offset_of(buffer, wish.at))
    if record is None or record.explanation is None:
        raise SaliscopeError("bad_request", "there is no explained record at this place")
    return buffer, record, record.explanation


async def _final(service: Service, buffer: Buffer, offset: int) -> LiveRecord:
    """The record at a place when nothing better follows."""
    live = _live(buffer)

    def is_final() -> bool:
        record = live.record_at(offset)
        return record is not None and record.state == "final" and not live.is_ahead

    await service.wait(buffer, is_final)
    record: LiveRecord | None = live.record_at(offset)
    if record is None or record.explanation is None:
        told = [one.message for one in record.findings] if record else []
        raise SaliscopeError("bad_request", "; ".join(told) or "there is nothing to explain at this place")
    return record


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
