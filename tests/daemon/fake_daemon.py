"""The daemon as it is, but with fake workers: `python fake_daemon.py READY_FD [LIMITS as JSON]`."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from saliscope.daemon.engines.local import LocalEngine
from saliscope.daemon.engines.zygote import ZygoteSpawner
from saliscope.daemon.front.run import run
from saliscope.daemon.front.session import SessionLimits

zygote = (sys.executable, str(Path(__file__).with_name("fake_zygote.py")), "--fd")
limits = msgspec.json.decode(sys.argv[2], type=SessionLimits) if len(sys.argv) > 2 else None
sys.exit(run(LocalEngine(ZygoteSpawner(zygote)), int(sys.argv[1]), limits))
