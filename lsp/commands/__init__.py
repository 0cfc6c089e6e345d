"""`workspace/executeCommand`: each command takes a list of arguments and answers with plain JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from saliscope.lsp.arguments import Token
from saliscope.lsp.commands import choosing, daemon, documents, records
from saliscope.lsp.service import Service

Command = Callable[[Service, list[Any], Token], Awaitable[Any]]

COMMANDS: Final[dict[str, Command]] = {
    "saliscope.explain": documents.explain,
    "saliscope.runFile": documents.run_file,
    "saliscope.setModel": choosing.set_model,
    "saliscope.setMethod": choosing.set_method,
    "saliscope.setTarget": choosing.set_target,
    "saliscope.compare": records.compare,
    "saliscope.mask": records.mask,
    "saliscope.ignore": records.ignore,
    "saliscope.copyJson": records.copy_json,
    "saliscope.record": records.known,
    "saliscope.document": documents.document,
    "saliscope.decorations": documents.decorations,
    "saliscope.download": daemon.download,
    "saliscope.models": daemon.models,
    "saliscope.methods": daemon.methods,
    "saliscope.cancel": daemon.cancel,
    "saliscope.status": daemon.status,
    "saliscope.restartDaemon": daemon.restart_daemon,
    "saliscope.printDebugInformation": daemon.print_debug_information,
}
