"""`python -m saliscope.daemon.cluster [--address A] [--actors N] --fd M`: the driver; M leads to the front.

On M it speaks as a zygote does (`daemon/worker/zygote.py`); `{"ready": pid, "places": n}` says how many workers there
may be, `{"refused": why}` that there is no cluster.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shutil
import signal
import socket
import sys

from saliscope.daemon.cluster.news import tell
from saliscope.daemon.cluster.places import Places, folder, join
from saliscope.daemon.worker.dying import die_with
from saliscope.protocol.errors import SaliscopeError


def main() -> int:
    """Join the cluster or start one, and serve; 2 if there is none."""
    parser = argparse.ArgumentParser(prog="python -m saliscope.daemon.cluster")
    parser.add_argument("--address")
    parser.add_argument("--actors", type=int)
    parser.add_argument("--fd", type=int, required=True)
    given = parser.parse_args()
    control = socket.socket(fileno=given.fd)
    die_with(os.getppid())
    # Ctrl-C is for the front.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        join(given.address, given.actors)
    except SaliscopeError as error:
        tell(control, refused=error.message)
        return error.exit_status
    from saliscope.daemon.cluster.driver import Driver

    asyncio.run(Driver(control, Places(given.actors)).run())
    import ray

    ray.shutdown()
    if given.address is None:
        shutil.rmtree(folder(), ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
