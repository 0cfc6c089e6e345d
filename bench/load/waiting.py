"""How long short requests wait while a long job runs (`python -m bench.load.waiting`)."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from dataclasses import dataclass
from typing import Final

from bench.load.house import a_text, own_daemon
from saliscope.protocol import aconnect
from saliscope.protocol.aclient import AsyncClient

MODEL: Final = "demo-encoder"
#: Rows of an interactive request, and the part of the device's rows that they take together.
ROWS: Final = 24
PART: Final = 0.1
#: Rows of the request in front of which, or behind which, short ones come.
LONG_ROWS: Final = 2000


@dataclass
class Bulk:
    """A job that never ends by itself: texts in small parcels, as fast as they come."""

    client: AsyncClient
    rng: random.Random
    texts: int = 0
    is_over: bool = False

    async def run(self) -> None:
        """Ask until it is over; two parcels at a time, so that the device never waits for us."""
        await asyncio.gather(self._parcels(), self._parcels())

    async def _parcels(self) -> None:
        while not self.is_over:
            texts = [a_text(self.rng, 16) for _ in range(8)]
            await self.client.explain(
                texts, model=MODEL, method="kernel-shap", params={"samples": 128}, priority="bulk"
            )
            self.texts += len(texts)


async def _ask(client: AsyncClient, rng: random.Random) -> float:
    """Seconds that one interactive request takes."""
    return await _timed(client, rng, "interactive")


async def _timed(client: AsyncClient, rng: random.Random, priority: str) -> float:
    """Seconds that an explanation of `ROWS` rows takes: the text itself, and each of its words hidden."""
    started = time.perf_counter()
    text = a_text(rng, ROWS - 1)
    await client.explain(text, model=MODEL, method="occlusion", granularity="word", priority=priority)
    return time.perf_counter() - started


async def _batches(client: AsyncClient) -> tuple[int, int]:
    """Micro-batches and rows so far; a busy worker tells late: what one question started, the next one knows."""
    counters: dict[str, int] = {}
    await client.status()
    while not counters:
        await asyncio.sleep(0.3)
        counters = (await client.status()).workers[0].get("counters", {})
    return counters["batches"], counters["rows"]


async def under_bulk(count: int, solo_s: float, seed: int) -> list[str]:
    """Waiting times of interactive requests, idle and beside a bulk job, and what the job loses by them."""
    rng = random.Random(seed)
    mine, theirs = await aconnect(), await aconnect()
    for _ in range(20):
        await _ask(mine, rng)
    idle = [await _ask(mine, rng) for _ in range(200)]
    bulk = Bulk(theirs, random.Random(seed + 1))
    running = asyncio.create_task(bulk.run())
    await asyncio.sleep(1)
    batches, rows = await _batches(mine)
    texts, started = bulk.texts, time.perf_counter()
    await asyncio.sleep(solo_s)
    seconds = time.perf_counter() - started
    more_batches, more_rows = await _batches(mine)
    alone = (bulk.texts - texts) / seconds
    batch_s, rows_s = seconds / (more_batches - batches), (more_rows - rows) / seconds
    rate = PART * rows_s / ROWS
    texts, started = bulk.texts, time.perf_counter()
    beside = await _poisson(mine, rng, rate, count)
    speed = (bulk.texts - texts) / (time.perf_counter() - started)
    bulk.is_over = True
    await running
    for client in (mine, theirs):
        await client.close()
    p50, p99 = statistics.median(idle), statistics.quantiles(beside, n=100)[98]
    limit = p50 + 2 * batch_s
    return [
        f"interactive requests of {ROWS} rows, idle:   p50 {1e3 * p50:.1f} ms, p99 {_p99(idle)} ms ({len(idle)})",
        (
            f"beside a bulk job, {rate:.1f} a second:        p50 {1e3 * statistics.median(beside):.1f} ms,"
            f" p99 {1e3 * p99:.1f} ms ({len(beside)})"
        ),
        (
            f"  goal: p99 <= idle p50 + 2 bulk micro-batches of {1e3 * batch_s:.1f} ms = {1e3 * limit:.1f} ms:"
            f" {'met' if p99 <= limit else 'NOT MET'}"
        ),
        (
            f"  the bulk job keeps {100 * speed / alone:.0f} % of {alone:.1f} texts a second; goal >= 80 %:"
            f" {'met' if speed >= 0.8 * alone else 'NOT MET'}"
        ),
    ]


async def _poisson(client: AsyncClient, rng: random.Random, rate: float, count: int) -> list[float]:
    asked = []
    for _ in range(count):
        await asyncio.sleep(rng.expovariate(rate))
        asked.append(asyncio.create_task(_ask(client, rng)))
    return list(await asyncio.gather(*asked))


async def behind_a_long_one(count: int, seed: int) -> list[str]:
    """The mean wait of a short request of the same class, of another client, behind a very long one."""
    rng = random.Random(seed)
    mine, theirs = await aconnect(), await aconnect()
    started = time.perf_counter()
    await theirs.explain(a_text(rng, 16), model=MODEL, method="kernel-shap", params={"samples": LONG_ROWS})
    long_s = time.perf_counter() - started
    waits, fcfs = [], []
    for _ in range(count):
        long = asyncio.create_task(
            theirs.explain(a_text(rng, 16), model=MODEL, method="kernel-shap", params={"samples": LONG_ROWS})
        )
        begun = time.perf_counter()
        await asyncio.sleep(rng.uniform(0.05, 0.5) * long_s)
        asked = time.perf_counter()
        waits.append(await _timed(mine, rng, "request"))
        fcfs.append(begun + long_s - asked)
        await long
    for client in (mine, theirs):
        await client.close()
    return [
        (
            f"a request of {ROWS} rows behind one of {LONG_ROWS:,}: {1e3 * statistics.mean(waits):.0f} ms on average;"
            f" first come, first served: at least {1e3 * statistics.mean(fcfs):.0f} ms ({count})"
        )
    ]


def _p99(values: list[float]) -> str:
    return f"{1e3 * statistics.quantiles(values, n=100)[98]:.1f}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.waiting", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="interactive requests")
    parser.add_argument("--solo", type=float, default=20.0, help="seconds that the bulk job is measured alone")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with own_daemon():
        for line in asyncio.run(under_bulk(given.count, given.solo, given.seed)):
            print(line, flush=True)
        for line in asyncio.run(behind_a_long_one(20, given.seed)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
