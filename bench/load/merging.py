"""Requests of many clients at once beside the same ones one after another (`python -m bench.load.merging`)."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from dataclasses import dataclass
from typing import Any, Final

from bench.load.house import a_text, own_daemon
from bench.peers.clock import NO_GOAL, Goal, spread
from saliscope.protocol import aconnect
from saliscope.protocol.aclient import AsyncClient

CLIENTS: Final = 16
TITLE: Final = f"{'asked':<22}{'model':<14}{'words':>5}  {'alone, ms each':>20}  {'x as fast':<20}goal"


@dataclass(frozen=True)
class Kind:
    """Requests that are alike: a method, or a prediction; goals by the number of words."""

    method: str | None
    model: str
    goals: dict[int, float]
    count: int
    params: dict[str, Any]

    async def ask(self, client: AsyncClient, text: str) -> None:
        """Ask for one text."""
        if self.method is None:
            await client.predict([text], model=self.model)
        else:
            await client.explain(text, model=self.model, method=self.method, params=self.params)


ONE_ROW: Final = {16: 2.3, 64: 1.0}
MANY_ROWS: Final = {16: 0.9, 64: 0.9}
KINDS: Final = (
    Kind(None, "demo-encoder", ONE_ROW, 480, {}),
    Kind(None, "demo-decoder", ONE_ROW, 480, {}),
    Kind("sp-pi", "demo-decoder", ONE_ROW, 480, {}),
    Kind("input-x-gradient", "demo-encoder", ONE_ROW, 480, {}),
    Kind("input-x-gradient", "demo-decoder", ONE_ROW, 480, {}),
    Kind("occlusion", "demo-encoder", MANY_ROWS, 96, {}),
    Kind("kernel-shap", "demo-decoder", MANY_ROWS, 48, {"samples": 128}),
)


async def _seconds(kind: Kind, clients: list[AsyncClient], texts: list[str]) -> float:
    waiting = iter(texts)

    async def work(client: AsyncClient) -> None:
        for text in waiting:
            await kind.ask(client, text)

    started = time.perf_counter()
    await asyncio.gather(*(work(client) for client in clients))
    return time.perf_counter() - started


async def compare(kind: Kind, num_words: int, repetitions: int, rng: random.Random) -> str:
    """One line: the throughput of 16 clients over that of one, texts new to the daemon each time."""
    clients = [await aconnect() for _ in range(CLIENTS)]
    await kind.ask(clients[0], a_text(rng, num_words))

    def texts() -> list[str]:
        return [a_text(rng, num_words) for _ in range(kind.count)]

    await _seconds(kind, clients, texts()[: 2 * CLIENTS])
    alone, ratios = [], []
    for _ in range(repetitions):
        single = await _seconds(kind, clients[:1], texts())
        alone.append(1e3 * single / kind.count)
        ratios.append(single / await _seconds(kind, clients, texts()))
    for client in clients:
        await client.close()
    limit = kind.goals.get(num_words)
    goal = NO_GOAL if limit is None else Goal(at_least=limit)
    return (
        f"{kind.method or 'predict':<22}{kind.model:<14}{num_words:>5}  {spread(alone):>20}  "
        f"{spread(ratios):<20}{goal.judge(statistics.median(ratios))}"
    )


async def _table(sizes: list[int], repetitions: int) -> None:
    rng = random.Random(0)
    for kind in KINDS:
        for size in sizes:
            print(await compare(kind, size, repetitions, rng), flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.merging", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64], help="words of the texts")
    parser.add_argument("--repetitions", type=int, default=5)
    given = parser.parse_args()
    print(f"{CLIENTS} clients against one, the same number of requests; median (range) of {given.repetitions}\n{TITLE}")
    with own_daemon():
        asyncio.run(_table(given.sizes, given.repetitions))


if __name__ == "__main__":
    main()
