"""Typing in an editor: from the keystroke to new colours, and what the language server takes of the processor.

`python -m bench.typing [RECORDS] [KEYSTROKES]` starts `saliscope lsp` and the daemon as an editor does, opens a JSONL
document, and types into records of 64 tokens of the bundled decoder, one keystroke after another.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from typing import Any

from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient

URI = "file:///reviews.jsonl"
SENTENCE = "the plot is a mess but the cast is wonderful and the film has a dull and lifeless end with some fun"
WORDS = SENTENCE.split()
DEBOUNCE_MS = 150


def row(number: int) -> str:
    """A record of about 64 tokens, like no other: what a text said is kept."""
    text = " ".join([str(number), *(WORDS[(number + at) % len(WORDS)] for at in range(56))])
    return json.dumps({"text": text, "label": "positive"}) + "\n"


def cpu_s(pid: int) -> float:
    """The processor time that a process has taken."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(num_records: int, num_keys: int) -> dict[str, Any]:
    """Open, wait until all is explained, type."""
    client = await ClientServerConfig([sys.executable, "-m", "saliscope.cli", "lsp"]).start()
    assert isinstance(client, LanguageClient)
    told: asyncio.Queue[Any] = asyncio.Queue()
    client.feature("saliscope/decorations")(lambda params: told.put_nowait(params))
    own = {"saliscope": {"decorations": True}}
    settings = {"model": "demo-decoder", "debounce": DEBOUNCE_MS, "semanticTokens": False}
    await client.initialize_session(
        types.InitializeParams(
            capabilities=types.ClientCapabilities(experimental=own), initialization_options={"saliscope": settings}
        )
    )
    text = "".join(row(number) for number in range(num_records))
    item = types.TextDocumentItem(uri=URI, language_id="jsonl", version=1, text=text)
    began = time.perf_counter()
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    await run(client, "runFile", URI)
    opened_s = time.perf_counter() - began
    pid = client._server.pid  # type: ignore[union-attr]
    latencies, used = [], cpu_s(pid)
    for key in range(num_keys):
        line, version = (key * 37) % num_records, key + 2
        while not told.empty():
            told.get_nowait()
        began = time.perf_counter()
        place = types.Position(line, 12)
        change = types.TextDocumentContentChangePartial(range=types.Range(place, place), text="x")
        name = types.VersionedTextDocumentIdentifier(uri=URI, version=version)
        client.text_document_did_change(types.DidChangeTextDocumentParams(name, [change]))
        while not is_new(await told.get(), version, line):
            pass
        latencies.append((time.perf_counter() - began) * 1e3)
    used = cpu_s(pid) - used
    asked = (await run(client, "status"))["daemon"]["figures"]["requests"]["explain"]
    await client.shutdown_session()
    return {
        "records": num_records, "opened_s": round(opened_s, 1), "keystrokes": num_keys,
        "cpu_ms_per_keystroke": round(used * 1e3 / num_keys, 2),
        "to_colours_ms": {
            "p50": round(statistics.median(latencies)), "p90": round(statistics.quantiles(latencies, n=10)[-1]),
        },
        "explained": asked,
    }  # fmt: skip


def is_new(message: Any, version: int, line: int) -> bool:
    """Whether a message has scores of the text that was typed last."""
    if message.version != version:
        return False
    return any(one.range.start.line == line and not one.stale and one.tokens for one in message.records)


async def run(client: LanguageClient, name: str, *arguments: Any) -> Any:
    """Run a command of the server."""
    params = types.ExecuteCommandParams(command=f"saliscope.{name}", arguments=list(arguments))
    return await client.workspace_execute_command_async(params)


if __name__ == "__main__":
    counts = [int(argument) for argument in sys.argv[1:]] or [2000, 100]
    print(json.dumps(asyncio.run(measure(*counts)), indent=1))
