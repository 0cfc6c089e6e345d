"""The zygote as it is, but importing nothing and forking fake workers: `python fake_zygote.py [PLACES] --fd N`."""

from __future__ import annotations

import os
import socket
import sys

from fake_worker import serve

from saliscope.daemon.worker.dying import die_with
from saliscope.daemon.worker.zygote import run

control = socket.socket(fileno=int(sys.argv[-1]))
die_with(os.getppid())
run(control, serve, int(sys.argv[1]) if sys.argv[1].isdecimal() else 1)
