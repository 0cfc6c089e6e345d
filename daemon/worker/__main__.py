"""A worker of one's own: `python -m saliscope.daemon.worker --fd N` serves on the inherited socket N."""

from __future__ import annotations

import argparse
import logging
import os
import socket

from saliscope.daemon.worker.serve import serve


def main() -> None:
    """Serve the socket that the starting process passed on."""
    parser = argparse.ArgumentParser(prog="python -m saliscope.daemon.worker")
    parser.add_argument("--fd", type=int, required=True)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    serve(socket.socket(fileno=parser.parse_args().fd))
    # Taking torch down takes seconds and frees nothing that the system does not free.
    os._exit(0)


if __name__ == "__main__":
    main()
