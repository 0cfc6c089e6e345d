"""The fake daemon as clients start one: `python fake_daemon_detached.py --ready-fd N`, detached at once."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path

if os.fork():
    os._exit(0)
sys.argv = ["fake_daemon.py", sys.argv[2]]
runpy.run_path(str(Path(__file__).with_name("fake_daemon.py")))
