"""The language server with a daemon in its own process: `python -m tests.lsp.fake_server`."""

from __future__ import annotations

import sys

from saliscope.lsp.run import run
from tests.lsp.fake_session import FakeDaemon

if __name__ == "__main__":
    sys.exit(run(new_session=FakeDaemon().session))
