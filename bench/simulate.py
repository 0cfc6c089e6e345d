"""The daemon's own scheduler under thousands of clients, in virtual time: `python -m bench.simulate [docs/scale.md]`.

No model runs: a micro-batch takes a fixed time and a time for each padded token. Everything else is the code that
schedules in the worker. Clients stay with the device that had least to do when they came first.
"""

from __future__ import annotations

import heapq
import random
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np

from bench.scale_page import fairness_table, overtaking_table, sizing_table, waiting_table, write
from saliscope.daemon.worker.scheduling.budget import Budget
from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.scheduling.queue import Queue
from saliscope.daemon.worker.scheduling.ticket import Owner, Share, Ticket

#: Seconds of a forward pass by its tokens: 6 layers of width 384 on one thread of a CPU.
MEASURED: Final = {16: 0.016, 512: 0.188}
PER_TOKEN_S: Final = (MEASURED[512] - MEASURED[16]) / (512 - 16)
FIXED_S: Final = MEASURED[16] - 16 * PER_TOKEN_S

NUM_CLIENTS: Final = 10_000
DEVICES: Final = (1, 8, 64)
#: How long arrivals are simulated, by devices.
SECONDS: Final = {1: 3600.0, 8: 450.0, 64: 60.0}
#: What the interactive and the other requests take of all devices; bulk jobs want the rest.
LOAD: Final = {Level.INTERACTIVE: 0.1, Level.REQUEST: 0.5}
KEYS: Final = ("evaluate", "differentiate", "evaluate causal", "differentiate causal")


@dataclass(slots=True, eq=False)
class Request:
    """One query of a client, and when it came; `done` rows were computed."""

    client: int
    level: Level
    rows: int
    tokens: int
    key: str
    at: float
    done: int = 0

    @property
    def cost(self) -> int:
        """Tokens in all."""
        return self.rows * self.tokens


@dataclass(slots=True, eq=False)
class Device:
    """A queue and what it has waiting, in tokens."""

    queue: Queue[Request]
    budget: Budget = field(default_factory=lambda: Budget.measured(MEASURED))
    owed: int = 0
    is_busy: bool = False
    busy_s: float = 0.0
    tokens: int = 0


class Simulation:
    """Devices in virtual time; `on_end` hears of every request that is done."""

    def __init__(self, num_devices: int, on_end: Callable[[Request], None]) -> None:
        self.now = 0.0
        self.devices = [Device(Queue(lambda: self.now)) for _ in range(num_devices)]
        self.on_end = on_end
        #: Tokens that each client has had.
        self.had: dict[int, int] = defaultdict(int)
        self._home: dict[int, Device] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Let something happen."""
        self._count += 1
        heapq.heappush(self._events, (when, self._count, what))

    def run(self, until: float) -> None:
        """Go on to a time."""
        while self._events and self._events[0][0] <= until:
            self.now, _, what = heapq.heappop(self._events)
            what()
        self.now = until

    def ask(self, request: Request) -> None:
        """A request comes in."""
        if request.client not in self._home:
            self._home[request.client] = min(self.devices, key=lambda device: device.owed)
        device = self._home[request.client]
        device.owed += request.cost
        owner = Owner(request.client, request.level)
        device.queue.add(Ticket(owner, request.key, request.rows, request.tokens, request, device.budget))
        if not device.is_busy:
            self._begin(device)

    def _begin(self, device: Device) -> None:
        shares = device.queue.next_batch()
        device.is_busy = bool(shares)
        if shares:
            taken = duration(shares)
            device.busy_s += taken
            self.at(self.now + taken, lambda: self._end(device, shares))

    def _end(self, device: Device, shares: list[Share[Request]]) -> None:
        for share in shares:
            request = share.ticket.payload
            request.done += share.stop - share.start
            self.had[request.client] += share.num_tokens
            device.owed -= share.num_tokens
            device.tokens += share.num_tokens
            if request.done == request.rows:
                self.on_end(request)
        self._begin(device)


def duration(shares: list[Share[Request]]) -> float:
    """Seconds of a micro-batch by the cost model."""
    width = max(share.ticket.row_tokens for share in shares)
    return FIXED_S + PER_TOKEN_S * width * sum(share.stop - share.start for share in shares)


def drawn(dice: random.Random, client: int, level: Level, now: float) -> Request:
    """A request as such a client asks: of some rows (interactive at most 32, others at most 500) of one text."""
    most = {Level.INTERACTIVE: 32, Level.REQUEST: 500, Level.BULK: 2000}[level]
    rows = min(most, 1 + int(dice.expovariate(1 / (most / 4))))
    return Request(client, level, rows, min(256, 8 + int(dice.expovariate(1 / 24))), dice.choice(KEYS), now)


def waiting(num_devices: int, seconds: float) -> dict[Level, list[float]]:
    """Seconds from question to answer by class: Poisson arrivals of 10,000 clients, and bulk jobs that never end."""
    dice, found = random.Random(num_devices), defaultdict[Level, list[float]](list)
    num_bulk = max(10, num_devices)

    def ended(request: Request) -> None:
        if request.at > seconds / 10:
            found[request.level].append(simulation.now - request.at)
        if request.level is Level.BULK:
            simulation.ask(drawn(dice, request.client, Level.BULK, simulation.now))

    simulation = Simulation(num_devices, ended)
    for client in range(num_bulk):
        simulation.ask(drawn(dice, client, Level.BULK, 0.0))
    for level, load in LOAD.items():
        sample = [drawn(dice, 0, level, 0.0) for _ in range(5000)]
        a_second = load * num_devices / (PER_TOKEN_S * float(np.mean([request.cost for request in sample])))
        half = (NUM_CLIENTS - num_bulk) // len(LOAD)
        first = num_bulk + half * (level is Level.REQUEST)
        when = 0.0
        while (when := when + dice.expovariate(a_second)) < seconds:
            request = drawn(dice, first + dice.randrange(half), level, when)
            simulation.at(when, partial(simulation.ask, request))
    simulation.run(seconds)
    simulation_facts[num_devices] = (
        sum(device.tokens for device in simulation.devices) / seconds,
        sum(device.busy_s for device in simulation.devices) / seconds / num_devices,
    )
    return found


#: By devices: tokens a second, and the share of the time that they were busy, as `waiting` found them.
simulation_facts: dict[int, tuple[float, float]] = {}


def fairness(num_devices: int, rounds: float) -> tuple[float, float]:
    """Jain's index of the tokens that 10,000 clients got who always want more, by device, and what FCFS would give.

    Half of them ask for 1 row at a time, half for 16: requests are no measure of what one gets.
    """

    def ask(client: int) -> None:
        simulation.ask(Request(client, Level.REQUEST, 16 if client % 2 else 1, 32, "evaluate", simulation.now))

    simulation = Simulation(num_devices, lambda request: ask(request.client))
    for client in range(NUM_CLIENTS):
        ask(client)
    simulation.run(rounds * NUM_CLIENTS * 16 * 32 * PER_TOKEN_S / num_devices)
    first_come = [16 if client % 2 else 1 for client in range(NUM_CLIENTS)]
    return jain([simulation.had[client] for client in range(NUM_CLIENTS)]), jain(first_come)


def jain(shares: list[int]) -> float:
    """Jain's index: 1 where all have the same, 1/n where one has everything."""
    values = np.asarray(shares, dtype=float)
    return float(values.sum() ** 2 / (len(values) * (values**2).sum()))


def overtaking(num_short: int = 200) -> tuple[float, float]:
    """Mean seconds of one-row requests that come while one of 2,000 rows runs: as scheduled, and first come first."""
    found: list[float] = []

    def ended(request: Request) -> None:
        if request.rows == 1:
            found.append(simulation.now - request.at)

    simulation = Simulation(1, ended)
    long = Request(0, Level.REQUEST, 2000, 32, "evaluate", 0.0)
    device = simulation.devices[0]
    whole = long.cost * PER_TOKEN_S + FIXED_S * -(-long.cost // device.budget.tokens)
    simulation.at(0.0, lambda: simulation.ask(long))
    dice, first_come, free = random.Random(1), [], whole
    for client, when in enumerate(sorted(dice.uniform(0, whole) for _ in range(num_short))):
        short = Request(1 + client, Level.REQUEST, 1, 32, "evaluate", when)
        simulation.at(when, partial(simulation.ask, short))
        free += FIXED_S + 32 * PER_TOKEN_S
        first_come.append(free - when)
    simulation.run(10 * whole)
    assert len(found) == num_short
    return float(np.mean(found)), float(np.mean(first_come))


def main() -> None:
    """Print the tables, and write them to the page that is named."""
    started = time.perf_counter()
    budget = Budget.measured(MEASURED)
    cost = f"{FIXED_S * 1e3:.1f} ms a pass and {PER_TOKEN_S * 1e3:.3f} ms a padded token"
    tables = {"model": f"{cost}; warm-up takes a budget of {budget.tokens} tokens, {budget.free} of them free."}
    tables["waiting"] = waiting_table({count: waiting(count, SECONDS[count]) for count in DEVICES}, simulation_facts)
    tables["sizing"] = sizing_table(simulation_facts)
    tables["fairness"] = fairness_table({count: fairness(count, 1.0) for count in DEVICES})
    tables["overtaking"] = overtaking_table(*overtaking())
    for table in tables.values():
        print(table, end="\n\n", flush=True)
    print(f"simulated in {time.perf_counter() - started:.0f} s")
    if len(sys.argv) > 1:
        write(Path(sys.argv[1]), tables)


if __name__ == "__main__":
    main()
