"""Pure computation in processes of its own, some of which end under it."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.worker import pure

from saliscope.daemon.worker.scheduling.level import Level
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.solver import ENDED, Solver
from saliscope.explainers.answers import Solved
from saliscope.explainers.queries import Solve
from saliscope.explainers.texts.patterns import find_matches
from saliscope.protocol.errors import SaliscopeError


class Bench:
    """A solver, and the answers it delivered by name of the question."""

    def __init__(self) -> None:
        self.inbox: queue.Queue[Callable[[], None]] = queue.Queue()
        self.solver = Solver(self.inbox.put)
        self.answers: dict[str, Any] = {}

    def ask(self, name: str, function: Callable[[Any], Any], argument: object, level: Level = Level.REQUEST) -> Owner:
        owner = Owner(level=level)
        self.solver.submit(owner, Solve(function, (argument,)), lambda answer: self.answers.update({name: answer}))
        return owner

    def until(self, *names: str) -> list[Any]:
        while not set(names) <= self.answers.keys():
            self.inbox.get(timeout=120)()
        found = [self.answers[name] for name in names]
        return [answer.result if isinstance(answer, Solved) else answer for answer in found]


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.solver.close()


def test_queries_are_answered(bench: Bench) -> None:
    bench.ask("two", pure.square, 2.0)
    bench.ask("three", pure.square, 3.0)
    assert bench.until("two", "three") == [4.0, 9.0]


def test_what_is_fenced_needs_no_process_of_the_pool(bench: Bench) -> None:
    query = Solve(find_matches, ("[a-z]+", ("dull, but",)), is_fenced=True)
    bench.solver.submit(Owner(), query, lambda answer: bench.answers.update({"found": answer}))
    bench.solver.submit(Owner(), replace(query, arguments=("(", ("dull",))),
                        lambda answer: bench.answers.update({"wrong": answer}))  # fmt: skip
    found, wrong = bench.until("found", "wrong")
    assert found == (((0, 4), (6, 9)),)
    assert wrong.code == "bad_request"
    assert not multiprocessing.active_children()


def test_a_query_whose_process_ended_runs_again(bench: Bench, tmp_path: Path) -> None:
    bench.ask("once", pure.end_this_process_once, str(tmp_path / "mark"))
    assert bench.until("once") == ["survived"]


def test_the_query_that_ends_its_process_fails_alone(bench: Bench, tmp_path: Path) -> None:
    bench.ask("beside it", pure.wait_for, str(tmp_path / "never yet"))
    bench.ask("poison", pure.end_this_process, None)
    bench.ask("behind it", pure.square, 3.0)
    (tmp_path / "never yet").touch()
    beside, poison, behind = bench.until("beside it", "poison", "behind it")
    assert (beside, behind) == ("waited", 9.0)
    assert isinstance(poison, SaliscopeError)
    assert (poison.code, poison.message) == ("internal", ENDED)
    bench.ask("after it", pure.square, 4.0)
    assert bench.until("after it") == [16.0]


def test_what_waits_and_is_cancelled_is_not_computed(bench: Bench, tmp_path: Path) -> None:
    for name in ("first", "second"):
        bench.ask(name, pure.wait_for, str(tmp_path / "go"))
    third = bench.ask("third", lambda _: pytest.fail("it was cancelled"), None)
    bench.ask("fourth", pure.square, 5.0)
    bench.solver.cancel(third)
    (tmp_path / "go").touch()
    assert bench.until("first", "second", "fourth") == ["waited", "waited", 25.0]
    assert "third" not in bench.answers
