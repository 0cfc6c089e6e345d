"""A data-set job on this machine's worker, and on one, two, … Ray actors of it: rows a second.

`python -m bench.load.ray [--rows N] [--actors 1 2]` needs the extra `ray`; it starts daemons of its own and ends them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from bench.load.house import own_daemon
from bench.load.jobs import follow, write_data
from saliscope.protocol import connect


def run(num_rows: int, num_actors: int | None, method: str = "occlusion") -> tuple[float, float]:
    """So many rows on so many actors (None: the local worker): seconds until a worker has the model, and of the job."""
    options = () if num_actors is None else ("--engine=ray", f"--ray-actors={num_actors}")
    with tempfile.TemporaryDirectory(prefix="sal-") as folder, own_daemon(*options), connect() as client:
        data = Path(folder) / "data.jsonl"
        write_data(data, num_rows)
        begun = time.monotonic()
        client.load_model("demo-encoder")
        ready = time.monotonic()
        while sum(model.state == "ready" for model in client.status().models) < (num_actors or 1):
            time.sleep(0.1)
        all_ready = time.monotonic()
        job = client.submit_job(str(data), str(Path(folder) / "out.jsonl"), model="demo-encoder", method=method)
        finished = follow(client, job, lambda _: time.sleep(0.1))
        assert (finished.state, finished.done) == ("done", num_rows), finished.reason
        return ready - begun, time.monotonic() - all_ready


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.ray", description=__doc__)
    parser.add_argument("--rows", type=int, default=1000, metavar="N")
    parser.add_argument("--actors", type=int, nargs="*", default=[1, 2], metavar="N")
    parser.add_argument("--method", default="occlusion")
    given = parser.parse_args()
    for num_actors in (None, *given.actors):
        first, seconds = run(given.rows, num_actors, given.method)
        who = "the local worker" if num_actors is None else f"{num_actors} Ray actor{'s' * (num_actors > 1)}"
        print(f"{who}: {given.rows / seconds:.1f} rows/s; the model was there after {first:.1f} s", flush=True)


if __name__ == "__main__":
    main()
