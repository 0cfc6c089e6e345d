"""Typing in an editor: from the keystroke to new colours, and what the language server takes of the processor.

`python -m bench.typing [RECORDS] [KEYSTROKES]` starts `saliscope lsp` and the daemon as an editor does, opens a JSONL
document, and types into records of 64 tokens of the bundled decoder, one keystroke after another: as a plugin that
draws `saliscope/decorations`, and as an editor that asks for semantic tokens after each edit and when it is told to.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient

URI: Final = "file:///reviews.jsonl"
NAME: Final = types.TextDocumentIdentifier(URI)
SENTENCE: Final = "the plot is a mess but the cast is wonderful and the film has a dull and lifeless end with some fun"
WORDS: Final = SENTENCE.split()
DEBOUNCE_MS: Final = 150
#: Seconds behind the last keystroke in which what waited for a rest is told, and counts.
REST_S: Final = 3.0
STALE: Final = 2


def row(number: int, run: int) -> str:
    """A record of about 64 tokens, like none of this or another run: what a text said is kept."""
    text = " ".join([str(number), *(WORDS[(number + at) % len(WORDS)] for at in range(55)), str(run)])
    return json.dumps({"text": text, "label": "positive"}) + "\n"


def cpu_s(pid: int) -> float:
    """The processor time that a process has taken, with all its threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def now_ms(pid: int) -> float:
    """The same of its main thread, fine enough for one keystroke; 0 where the kernel counts none."""
    try:
        with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e6
    except FileNotFoundError:
        return 0.0


def yardstick_ms() -> float:
    """What the machine takes now for JSON of a fixed size, there and back: figures of two days can be told apart."""
    text = "".join(row(number, 0) for number in range(200))
    began = time.process_time()
    for line in text.splitlines() * 10:
        json.dumps(json.loads(line))
    return (time.process_time() - began) * 1e3


class Plugin:
    """Draws what it is sent."""

    name = "decorations"
    capabilities = types.ClientCapabilities(experimental={"saliscope": {"decorations": True}})

    def __init__(self, client: LanguageClient) -> None:
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        client.feature("saliscope/decorations")(lambda params: self._told.put_nowait(params))

    async def begin(self) -> None:
        """Forget what was drawn so far."""
        while not self._told.empty():
            self._told.get_nowait()

    async def coloured(self, version: int, line: int) -> None:
        """Wait for the colours of a version of the text."""
        while True:
            told = await self._told.get()
            new = [one for one in told.records if one.range.start.line == line and not one.stale and one.tokens]
            if told.version == version and new:
                return


class Editor:
    """Asks for semantic tokens, by their difference."""

    name = "semanticTokens"
    capabilities = types.ClientCapabilities(
        workspace=types.WorkspaceClientCapabilities(
            semantic_tokens=types.SemanticTokensWorkspaceClientCapabilities(refresh_support=True)
        )
    )

    def __init__(self, client: LanguageClient) -> None:
        self._client, self._again = client, asyncio.Event()
        self._result: str | None = None
        client.feature(types.WORKSPACE_SEMANTIC_TOKENS_REFRESH)(lambda params=None: self._again.set())

    async def begin(self) -> None:
        """Have the tokens of the text as it is."""
        if self._result is None:
            whole = await self._client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(NAME))
            self._result = whole.result_id if whole is not None else None
        self._again.clear()

    async def coloured(self, version: int, line: int) -> None:
        """Ask after the edit, and again when it is told to, until the tokens of the record are of the new text."""
        while True:
            assert self._result is not None
            params = types.SemanticTokensDeltaParams(NAME, self._result)
            found = await self._client.text_document_semantic_tokens_full_delta_async(params)
            assert isinstance(found, types.SemanticTokensDelta)
            self._result = found.result_id
            flags = [flag for edit in found.edits for flag in (edit.data or ())[4::5]]
            if flags and not any(flag & STALE for flag in flags):
                return
            await self._again.wait()
            self._again.clear()


async def measure(
    kind: Callable[[LanguageClient], Plugin | Editor], num_records: int, num_keys: int, run: int, letter: str
) -> dict[str, Any]:
    """Open, wait until all is explained, type a letter into one record after another."""
    client = await ClientServerConfig([sys.executable, "-m", "saliscope.cli", "lsp"]).start()
    assert isinstance(client, LanguageClient)
    editor = kind(client)
    settings = {"model": "demo-decoder", "debounce": DEBOUNCE_MS, "semanticTokens": editor.name == "semanticTokens"}
    await client.initialize_session(
        types.InitializeParams(capabilities=editor.capabilities, initialization_options={"saliscope": settings})
    )
    text = "".join(row(number, run) for number in range(num_records))
    began = time.perf_counter()
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(URI, "jsonl", version=1, text=text))
    )
    await command(client, "runFile", URI)
    opened_s = time.perf_counter() - began
    await asyncio.sleep(REST_S)
    before = await num_asked(client)
    await editor.begin()
    pid = client._server.pid  # type: ignore[union-attr]
    yardsticks = [yardstick_ms()]
    latencies, singles, used = [], [], cpu_s(pid)
    for key in range(num_keys):
        line, version = (key * 37) % num_records, key + 2
        await editor.begin()
        began, before_ms = time.perf_counter(), now_ms(pid)
        place = types.Position(line, 12)
        change = types.TextDocumentContentChangePartial(range=types.Range(place, place), text=letter)
        changed = types.VersionedTextDocumentIdentifier(uri=URI, version=version)
        client.text_document_did_change(types.DidChangeTextDocumentParams(changed, [change]))
        await editor.coloured(version, line)
        latencies.append((time.perf_counter() - began) * 1e3)
        singles.append(now_ms(pid) - before_ms)
    await asyncio.sleep(REST_S)
    used = cpu_s(pid) - used
    yardsticks.append(yardstick_ms())
    asked = await num_asked(client) - before
    await client.shutdown_session()
    return {
        "drawn_by": editor.name, "records": num_records, "opened_s": round(opened_s, 1), "keystrokes": num_keys,
        "cpu_ms_per_keystroke": round(used * 1e3 / num_keys, 2),
        "cpu_ms_of_one": {"p50": round(statistics.median(singles), 2), "least": round(min(singles), 2)},
        "yardstick_ms": round(statistics.fmean(yardsticks), 1),
        "to_colours_ms": {
            "p50": round(statistics.median(latencies)), "p90": round(statistics.quantiles(latencies, n=10)[-1]),
        },
        "explained_while_typing": asked,
    }  # fmt: skip


async def num_asked(client: LanguageClient) -> int:
    """How many explanations the daemon has given."""
    found = (await command(client, "status"))["daemon"]["figures"]["requests"].get("explain", {})
    return sum(found.values())


async def command(client: LanguageClient, name: str, *arguments: Any) -> Any:
    """Run a command of the server."""
    params = types.ExecuteCommandParams(command=f"saliscope.{name}", arguments=list(arguments))
    return await client.workspace_execute_command_async(params)


async def main(num_records: int = 2000, num_keys: int = 100) -> list[dict[str, Any]]:
    """Both, one after the other; the second opens what the first has had explained, and types another letter."""
    run = int(time.time())
    return [await measure(kind, num_records, num_keys, run, letter) for kind, letter in ((Plugin, "x"), (Editor, "y"))]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*(int(argument) for argument in sys.argv[1:]))), indent=1))
