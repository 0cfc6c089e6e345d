"""The server process: messages on stdin and stdout, the log on stderr or in a file."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from saliscope import __version__
from saliscope.lsp.features import serve
from saliscope.lsp.pygls_gaps import Discreet, Protocol, Server
from saliscope.lsp.service import NewSession
from saliscope.protocol.live import LiveSession


def run(log_file: Path | None = None, *, verbose: bool = False, new_session: NewSession = LiveSession) -> int:
    """Serve one editor until it says `exit` or leaves; 0 when it had said `shutdown` before."""
    handler = logging.StreamHandler(sys.stderr) if log_file is None else logging.FileHandler(log_file, encoding="utf-8")
    handler.setFormatter(Discreet("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler], force=True)
    # One line a message, and it is the message.
    logging.getLogger("pygls").setLevel(logging.WARNING)
    server = Server("saliscope", __version__, protocol_cls=Protocol)
    serve(server, new_session)
    # A stdout of its own, which pygls closes at the end; what anything prints may not come between the messages.
    stdout, sys.stdout = os.fdopen(os.dup(sys.stdout.fileno()), "wb"), sys.stderr
    server.start_pipes(sys.stdin.buffer, stdout)
    return 0 if server.protocol.is_shut_down else 1
