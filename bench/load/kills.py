"""Kills under load: every request must be answered, with the library's numbers. How long does it take to recover?

`python -m bench.load.kills` starts a daemon of its own and ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from bench.load.house import MODELS, own_daemon
from saliscope.explainers import explain, load
from saliscope.protocol import aconnect
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.errors import SaliscopeError

Victim = Literal["worker", "zygote", "front"]

METHODS: Final = ("input-x-gradient", "occlusion", "simple", "integrated-gradients", "random", "attention-last")
WORDS: Final = (
    "the",
    "plot",
    "cast",
    "film",
    "is",
    "was",
    "dull",
    "funny",
    "warm",
    "a",
    "mess",
    "but",
    "not",
    "映画",
    ".",
)
TOLERANCE: Final = 1e-5
#: A worker lives so long at most before the next kill; some die while they load.
LONGEST_LIFE_S: Final = 0.8
NUM_QUESTIONS: Final = 60


@dataclass
class Report:
    """What came of it; seconds from a kill to the next worker that is ready, and to the next answer."""

    victim: Victim
    num_kills: int = 0
    answers: int = 0
    wrong: int = 0
    unanswered: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, str] = field(default_factory=dict)
    ready_s: list[float] = field(default_factory=list)
    answer_s: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The figures, for people."""
        total = f"{self.num_kills} kills of the {self.victim}: {self.answers} answers, {self.wrong} wrong, "
        failed = ", ".join(f"{count} x {code}" for code, count in self.errors.items()) or "none"
        told = [total + f"{self.unanswered} requests without an answer; failed with a reason: {failed}"]
        told += [f"  {code}, for example: {reason}" for code, reason in self.reasons.items()]
        if self.ready_s:
            told.append(f"  dead -> next worker ready: median {statistics.median(self.ready_s):.3f} s")
        if self.answer_s:
            told.append(f"  dead -> first answer:      median {statistics.median(self.answer_s):.3f} s")
        return told


class Harness:
    """Clients that ask without end and compare, and somebody who kills meanwhile."""

    def __init__(self, victim: Victim, num_kills: int, num_clients: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self._questions = [self._question() for _ in range(NUM_QUESTIONS)]
        models = {name: load(name, "cpu") for name in MODELS}
        self._expected = [
            explain(models[model], text, method=method).scores.tolist() for text, model, method in self._questions
        ]
        self._num_kills, self._num_clients = num_kills, num_clients
        self._is_over = False
        self._answered: list[float] = []
        self.report = Report(victim)

    async def run(self) -> Report:
        """Kill so often, then let what is in flight end."""
        watcher = await aconnect()
        clients = [await aconnect() for _ in range(self._num_clients)]
        for model in MODELS:
            await watcher.explain("a film", model=model)
        asking = [asyncio.create_task(self._ask(client, number)) for number, client in enumerate(clients)]
        while self.report.num_kills < self._num_kills:
            await asyncio.sleep(self._rng.uniform(0, LONGEST_LIFE_S))
            await self._kill(watcher)
        self._is_over = True
        _, late = await asyncio.wait(asking, timeout=120)
        self.report.unanswered += len(late)
        for task in late:
            task.cancel()
        for client in (watcher, *clients):
            await client.close()
        return self.report

    async def _ask(self, client: AsyncClient, number: int) -> None:
        rng = random.Random(number)
        while not self._is_over:
            index = rng.randrange(len(self._questions))
            text, model, method = self._questions[index]
            try:
                found = await client.explain(text, model=model, method=method)
            except SaliscopeError as error:
                self.report.errors[error.code] += 1
                self.report.reasons[error.code] = error.message.splitlines()[0]
                continue
            self._answered.append(time.monotonic())
            self.report.answers += 1
            right = self._expected[index]
            worst = max((abs(a - b) for a, b in zip(found.scores, right, strict=True)), default=0.0)
            self.report.wrong += not worst <= TOLERANCE

    async def _kill(self, watcher: AsyncClient) -> None:
        pids = await self._pids(watcher)
        if "worker" not in pids:
            # The one before has not come up again.
            return
        os.kill(pids[self.report.victim], signal.SIGKILL)
        killed = time.monotonic()
        self.report.num_kills += 1
        if self.report.num_kills % 3 == 0:
            # The next kill may hit a worker that has not answered yet.
            return
        while (await self._pids(watcher)).get("worker", pids["worker"]) == pids["worker"]:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        ready = time.monotonic()
        while not self._answered or self._answered[-1] < ready:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        self.report.ready_s.append(ready - killed)
        self.report.answer_s.append(next(at for at in self._answered if at >= ready) - killed)

    async def _pids(self, watcher: AsyncClient) -> dict[str, int]:
        try:
            status = await watcher.status()
        except SaliscopeError:
            # Lost with the front; this connects again.
            await watcher.methods()
            status = await watcher.status()
        pids = {"front": status.pid}
        for worker in status.workers:
            if "pid" in worker:
                pids["worker"] = worker["pid"]
                pids["zygote"] = _parent_of(worker["pid"])
        if not pids.get("zygote"):
            # It has ended since it told.
            pids.pop("worker", None)
        return pids

    def _question(self) -> tuple[str, str, str]:
        text = " ".join(self._rng.choices(WORDS, k=self._rng.randint(2, 12)))
        return text, self._rng.choice(MODELS), self._rng.choice(METHODS)


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except FileNotFoundError:
        return 0


def run(victim: Victim, num_kills: int, num_clients: int = 8, seed: int = 0) -> Report:
    """Kill the victim so often, in a daemon of this run's own."""
    with own_daemon():
        return asyncio.run(Harness(victim, num_kills, num_clients, seed).run())


def main() -> None:
    """Print a report for each victim."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.kills", description=__doc__)
    parser.add_argument("--worker", type=int, default=100, metavar="N", help="kills of the worker")
    parser.add_argument("--zygote", type=int, default=10, metavar="N", help="kills of the zygote")
    parser.add_argument("--front", type=int, default=10, metavar="N", help="kills of the front")
    parser.add_argument("--clients", type=int, default=8, metavar="N", help="connections that ask")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for victim in get_args(Victim):
        if count := getattr(given, victim):
            print("\n".join(run(victim, count, given.clients, given.seed).lines()), flush=True)


if __name__ == "__main__":
    main()
