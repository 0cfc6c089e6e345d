"""One run of the daemon, from the lock to the exit status."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys

from saliscope.daemon.engines import Engine
from saliscope.daemon.front import logs
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.listening import AlreadyRunningError, listen_locally, listen_on, take_life_lock
from saliscope.daemon.front.options import Options
from saliscope.daemon.front.server import Server
from saliscope.daemon.front.systemd import Notifier, passed_socket
from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)

#: How long a starting daemon waits for a predecessor, beyond what that one waits for its last requests.
_PREDECESSOR_S = 10.0


def run(
    engine: Engine, ready_fd: int | None = None, options: Options | None = None, limits: FrontLimits | None = None
) -> int:
    """Serve with this engine until told to end; a line goes to `ready_fd` when clients can connect."""
    options, limits = options or Options(), limits or FrontLimits()
    logs.configure(options.log_format)
    for option, given in (("--allow-pickle", options.allow_pickle), ("--trust-remote-code", options.trust_remote_code)):
        if given:
            log.warning("%s: loading a model may run the code of whoever made it, with all rights of this user", option)
    if options.log_texts:
        log.warning("--log-texts: what people explain is written into this log")

    def tell_ready() -> None:
        if ready_fd is not None:
            os.write(ready_fd, b"ready\n")
            os.close(ready_fd)

    with contextlib.ExitStack() as held:
        try:
            passed = passed_socket()
            held.enter_context(take_life_lock(limits.drain_s + _PREDECESSOR_S, is_ours=passed is not None))
            remote = held.enter_context(listen_on(options.tcp)) if options.tcp else None
            local = held.enter_context(passed or listen_locally())
            server = Server(engine, options, limits)
            asyncio.run(server.serve(local, remote, Notifier(), tell_ready, owns_path=passed is None))
        except AlreadyRunningError:
            log.info("another daemon is running")
            tell_ready()
            return 1
        except SaliscopeError as error:
            print(f"saliscope: {error.message}", file=sys.stderr)
            return error.exit_status
    return 0
