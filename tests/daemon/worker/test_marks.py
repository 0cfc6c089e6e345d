"""What a worker was at work on must be readable after whatever ended it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from typing import Any

import pytest

from saliscope.daemon.worker import zygote
from saliscope.daemon.worker.batcher import Batcher
from saliscope.daemon.worker.marks import MOST, Marks
from saliscope.daemon.worker.scheduling.ticket import Owner
from saliscope.daemon.worker.solver import Solver
from saliscope.explainers import load
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Evaluate, Outputs


def test_marks_replace_each_other_and_hold_so_many() -> None:
    marks = Marks()
    assert marks.read() == []
    marks.set((7, 2**32 - 1))
    assert marks.read() == [7, 2**32 - 1]
    marks.set((3,))
    assert marks.read() == [3]
    marks.set(range(MOST + 5))
    assert marks.read() == list(range(MOST))
    marks.set(())
    assert marks.read() == []
    marks.close()


def test_the_zygote_tells_what_a_killed_worker_was_computing() -> None:
    control, theirs = socket.socketpair()

    def serve(sock: socket.socket, marks: Marks) -> None:
        marks.set((5, 9))
        sock.sendall(b"computing")
        signal.pause()

    pid = os.fork()
    if pid == 0:
        control.close()
        try:
            zygote.run(theirs, serve)
        finally:
            os._exit(0)
    theirs.close()
    lines = control.makefile("r")
    lines.readline()
    ours, worker = socket.socketpair()
    with worker:
        socket.send_fds(control, [b"F"], [worker.fileno()])
    forked = json.loads(lines.readline())["forked"]
    assert ours.recv(100) == b"computing"
    os.kill(forked, signal.SIGKILL)
    assert json.loads(lines.readline()) == {"exited": forked, "how": "signal 9", "computing": [5, 9]}
    control.shutdown(socket.SHUT_WR)
    assert os.waitpid(pid, 0)[1] == 0
    for each in (lines, control, ours):
        each.close()


def test_a_micro_batch_is_marked_with_all_whose_rows_are_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load("demo-encoder", "cpu")
    marks, seen = Marks(), []
    compute = TextModel.compute

    def look(self: TextModel, pieces: Any) -> Any:
        seen.append(sorted(marks.read()))
        return compute(self, pieces)

    monkeypatch.setattr(TextModel, "compute", look)
    batcher = Batcher(Solver(lambda news: news()), marks=marks)
    for id, text in ((11, "a dull film"), (12, "a warm film")):
        batcher.add(
            Owner(requests=(id,)),
            model,
            Evaluate(model.encode(text), Outputs("class"), outputs=True),
            lambda outcome: None,
        )
    assert batcher.step()
    assert seen == [[11, 12]]


def test_a_worker_that_is_idle_has_marked_nothing() -> None:
    from saliscope.daemon.worker.serve import serve
    from saliscope.protocol.client import Client

    marks = Marks()
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=serve, args=(theirs, marks), daemon=True)
    thread.start()
    with Client(ours) as client:
        client.explain("a dull film")
        client.shutdown()
        thread.join()
    assert marks.read() == []
