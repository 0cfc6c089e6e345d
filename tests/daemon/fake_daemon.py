"""The daemon as it is, but with fake workers: `python fake_daemon.py READY_FD LIMITS [OPTION…]` (limits as JSON).

In place of a Ray cluster it has three of them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec

from saliscope.daemon.engines.choosing import Choosing
from saliscope.daemon.engines.local import LocalEngine
from saliscope.daemon.engines.replicas import Replicas
from saliscope.daemon.engines.zygote import ZygoteSpawner
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.options import add_to, read
from saliscope.daemon.front.run import run

zygote = (sys.executable, str(Path(__file__).with_name("fake_zygote.py")))
limits = msgspec.json.decode(sys.argv[2] if len(sys.argv) > 2 else "{}", type=FrontLimits)
parser = argparse.ArgumentParser()
add_to(parser)
options = read(parser.parse_args(sys.argv[3:]))
engines = {
    "local": LocalEngine(ZygoteSpawner((*zygote, "--fd"))),
    "ray": Replicas(ZygoteSpawner((*zygote, "3", "--fd"))),
}
sys.exit(run(Choosing(engines, options.engine), int(sys.argv[1]), options, limits))
