"""`python -m saliscope.daemon`: the daemon, in the foreground, logging to stderr.

With `--ready-fd N` (as clients start it) it detaches at once and writes one line to N when it listens; the end of
N without a line says that it could not start.
"""

from __future__ import annotations

import argparse
import os
import sys

from saliscope.daemon.engines.cluster import check_installed, ray_engine
from saliscope.daemon.front.options import add_to, read, with_environment
from saliscope.protocol.errors import SaliscopeError


def main() -> int:
    """Run the daemon; 0 after `shutdown`, 1 if another one listens, otherwise the status of the error."""
    parser = argparse.ArgumentParser(prog="python -m saliscope.daemon", description=__doc__)
    parser.add_argument("--ready-fd", type=int, help="detach, and write a line to this descriptor when ready")
    add_to(parser)
    found = parser.parse_args(with_environment(sys.argv[1:]))
    ready_fd: int | None = found.ready_fd
    try:
        options = read(found)
        if options.engine == "ray":
            check_installed()
    except SaliscopeError as error:
        print(f"saliscope: {error.message}", file=sys.stderr)
        return error.exit_status
    if ready_fd is not None and os.fork():
        os._exit(0)

    from saliscope.daemon.engines.choosing import Choosing
    from saliscope.daemon.engines.local import LocalEngine
    from saliscope.daemon.engines.zygote import ZygoteSpawner
    from saliscope.daemon.front.run import run

    options.to_environment()
    local, ray = LocalEngine(ZygoteSpawner()), ray_engine(options.ray_address, options.ray_actors)
    return run(Choosing({"local": local, "ray": ray}, options.engine), ready_fd, options)


if __name__ == "__main__":
    sys.exit(main())
