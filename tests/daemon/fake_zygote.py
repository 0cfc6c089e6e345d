"""The zygote as it is, but importing nothing and forking fake workers."""

from __future__ import annotations

import os
import socket
import sys

from fake_worker import serve

from saliscope.daemon.worker.dying import die_with
from saliscope.daemon.worker.zygote import run

control = socket.socket(fileno=int(sys.argv[2]))
die_with(os.getppid())
run(control, serve)
