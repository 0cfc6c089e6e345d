"""Cancelling in an editor: from `$/cancelRequest` to the answer, and until the daemon works on nothing.

`python -m bench.cancelling [TIMES]` has a long method compared in `saliscope lsp`, and cancels it in the middle.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig, LanguageClient

from bench.typing import WORDS, command

URI = "file:///review.txt"
#: Takes seconds on a text of this length.
METHOD = "kernel-shap"
BEFORE_S = 0.4
EXECUTE = types.WORKSPACE_EXECUTE_COMMAND


async def measure(num_times: int) -> dict[str, Any]:
    """Cancel so many times, each on another text: what was found out is kept."""
    client = await ClientServerConfig([sys.executable, "-m", "saliscope.cli", "lsp"]).start()
    assert isinstance(client, LanguageClient)
    settings = {"model": "demo-decoder", "granularity": "word"}
    await client.initialize_session(
        types.InitializeParams(capabilities=types.ClientCapabilities(), initialization_options={"saliscope": settings})
    )
    lines = (" ".join([str(row), *(WORDS[(row + at) % len(WORDS)] for at in range(160))]) for row in range(num_times))
    text = "\n\n".join(lines)
    item = types.TextDocumentItem(uri=URI, language_id="plaintext", version=1, text=text)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    rows = (await command(client, "runFile", URI))["records"]
    answered, idle = [], []
    # Typed by nobody.
    protocol: Any = client.protocol
    at_rest = await in_flight(client)
    for number, row in enumerate(rows):
        arguments = [URI, row["range"]["start"], METHOD]
        params = types.ExecuteCommandParams(command="saliscope.compare", arguments=arguments)
        asked = asyncio.create_task(protocol.send_request_async(EXECUTE, params, msg_id=f"compare {number}"))
        await asyncio.sleep(BEFORE_S)
        began = time.perf_counter()
        client.cancel_request(types.CancelParams(id=f"compare {number}"))
        try:
            await asked
        except JsonRpcException:
            answered.append((time.perf_counter() - began) * 1e3)
        while await in_flight(client) > at_rest:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        idle.append((time.perf_counter() - began) * 1e3)
    await client.shutdown_session()
    return {"cancelled": f"{len(answered)} of {num_times}", "answered_ms": spread(answered), "idle_ms": spread(idle)}


async def in_flight(client: LanguageClient) -> int:
    """The requests that the daemon has not answered."""
    found: int = (await command(client, "status"))["daemon"]["requests"]["in_flight"]
    return found


def spread(found: list[float]) -> dict[str, float]:
    """Median and worst."""
    return {"p50": round(statistics.median(found), 1), "worst": round(max(found), 1)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int((sys.argv[1:] or ["20"])[0]))), indent=1))
