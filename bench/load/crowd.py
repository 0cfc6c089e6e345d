"""Many clients with mixed methods: is anything lost, is anything wrong? (`python -m bench.load.crowd`)"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from bench.load.house import MODELS, a_text, own_daemon
from saliscope.explainers import explain, load
from saliscope.explainers.attribution import Attribution
from saliscope.protocol import aconnect
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.errors import SaliscopeError

TOLERANCE: Final = 1e-5
#: A few rows and many, forward and back, of each family.
METHODS: Final[dict[str, dict[str, Any]]] = {
    "input-x-gradient": {},
    "grad-l2": {},
    "occlusion": {},
    "integrated-gradients": {"steps": 16, "max_steps": 16},
    "smooth-grad": {"samples": 8},
    "kernel-shap": {"samples": 64},
    "mase": {"samples": 48},
    "attention-rollout": {},
    "gae": {},
    "grad-cam": {},
    "random": {},
}


@dataclass
class Report:
    """What came of it."""

    num_clients: int
    num_requests: int
    seconds: float = 0.0
    answers: int = 0
    wrong: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    worst: float = 0.0

    @property
    def lost(self) -> int:
        """Requests without an answer."""
        return self.num_requests - self.answers - sum(self.errors.values())

    def lines(self) -> list[str]:
        """The figures, for people."""
        failed = ", ".join(f"{count} x {code}" for code, count in self.errors.items()) or "none"
        each, pace = self.rows / self.num_requests, self.num_requests / self.seconds
        return [
            f"{self.num_clients} clients, {self.num_requests:,} requests of {each:.1f} rows on average",
            f"  {self.seconds:.0f} s, {pace:.0f} requests a second",
            f"  {self.lost} lost, {self.wrong} wrong (largest difference {self.worst:.1e}), failed: {failed}",
        ]


@dataclass(frozen=True)
class Question:
    """One of the requests, and the library's answer."""

    text: str
    model: str
    method: str
    params: dict[str, Any]
    expected: Attribution


def questions(count: int, seed: int) -> list[Question]:
    """Mixed requests with the library's answers, each computed once."""
    rng = random.Random(seed)
    models = {name: load(name, "cpu") for name in MODELS}
    found = []
    for _ in range(count):
        text, model, method = a_text(rng, rng.randint(1, 14)), rng.choice(MODELS), rng.choice(list(METHODS))
        params = METHODS[method]
        found.append(Question(text, model, method, params, explain(models[model], text, method=method, **params)))
    return found


async def _ask(clients: list[AsyncClient], asked: list[Question], report: Report, in_flight: int) -> None:
    numbers = iter(range(report.num_requests))
    rng = random.Random(1)

    async def one_after_another(client: AsyncClient) -> None:
        for _ in numbers:
            question = asked[rng.randrange(len(asked))]
            right = question.expected
            report.rows += right.cost.forward_rows + right.cost.backward_rows
            try:
                got = await client.explain(
                    question.text, model=question.model, method=question.method, params=question.params
                )
            except SaliscopeError as error:
                report.errors[error.code] += 1
                continue
            report.answers += 1
            gap = max(abs(a - b) for a, b in zip(got.scores, right.scores.tolist(), strict=True))
            gap /= max(1.0, abs(right.value))
            report.worst = max(report.worst, gap)
            report.wrong += not gap <= TOLERANCE

    await asyncio.gather(*(one_after_another(client) for client in clients for _ in range(in_flight)))


async def crowd(num_clients: int, num_requests: int, num_questions: int, in_flight: int = 2, seed: int = 0) -> Report:
    """Ask a running daemon from so many connections, each with `in_flight` requests at a time."""
    asked = questions(num_questions, seed)
    clients = [await aconnect() for _ in range(num_clients)]
    for model in MODELS:
        await clients[0].load_model(model)
    report, started = Report(num_clients, num_requests), time.perf_counter()
    await _ask(clients, asked, report, in_flight)
    report.seconds = time.perf_counter() - started
    for client in clients:
        await client.close()
    return report


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(prog="python -m bench.load.crowd", description=__doc__)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--questions", type=int, default=200)
    given = parser.parse_args()
    with own_daemon():
        print("\n".join(asyncio.run(crowd(given.clients, given.requests, given.questions)).lines()))


if __name__ == "__main__":
    main()
