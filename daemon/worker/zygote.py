"""The zygote: imports torch and transformers once, never runs an operation, and forks workers from itself.

`python -m saliscope.daemon.worker.zygote --fd N`: N is the control socket. Each byte `F` that arrives there
carries one descriptor, on which a forked worker serves. Back go lines of JSON: `{"ready": pid, "threads": n,
"places": n}`, `{"forked": pid}` and `{"exited": pid, "how": "signal 9", "computing": [ids]}`: the requests that it was
at work on. Its end of file ends the zygote and its workers.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NoReturn

from saliscope.daemon.worker.dying import IS_LINUX, die_with
from saliscope.daemon.worker.marks import Marks

Serve = Callable[[socket.socket, Marks], None]

#: Imported for the workers' sake: a fork has them at once. Transformers imports half of itself only when the first
#: model is loaded; the architectures of the bundled models bring that half in.
PRELOADED: Final = (
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.gpt2.modeling_gpt2",
    "saliscope.explainers.families",
)


def run(control: socket.socket, serve: Serve, places: int = 1) -> None:
    """Fork a worker that runs `serve` for each descriptor that arrives on `control`, until it closes.

    There is room for `places` of them.
    """
    # Ctrl-C is for the front; it ends us by closing the control socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, Marks] = {}
    # What is shared with the workers must not be copied by a collector that writes into it.
    gc.collect()
    gc.freeze()
    _tell(control, ready=os.getpid(), threads=len(os.listdir("/proc/self/task")) if IS_LINUX else 0, places=places)
    try:
        while True:
            readable, _, _ = select.select([control.fileno(), wake_read], [], [])
            if wake_read in readable:
                os.read(wake_read, 4096)
                _reap(control, children)
            if control.fileno() in readable:
                command, descriptors, _, _ = socket.recv_fds(control, 1, 1)
                if not command:
                    return
                marks = Marks()
                sock = socket.socket(fileno=descriptors[0])
                pid = _fork(serve, sock, marks, (control.fileno(), wake_read, wake_write))
                children[pid] = marks
                _tell(control, forked=pid)
    except BrokenPipeError:
        # The front died while we told it something.
        return
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)


def _fork(serve: Serve, sock: socket.socket, marks: Marks, ours: tuple[int, ...]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be_worker(serve, sock, marks, ours, parent)
    sock.close()
    return pid


def _be_worker(serve: Serve, sock: socket.socket, marks: Marks, ours: tuple[int, ...], parent: int) -> NoReturn:
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        die_with(parent)
        for descriptor in ours:
            os.close(descriptor)
        serve(sock, marks)
        status = 0
    except BaseException as error:
        # The frames without the message, which may quote a text. The disk of the log may be full.
        with contextlib.suppress(OSError):
            print(f"worker {os.getpid()}: {type(error).__name__}", file=sys.stderr)
            traceback.print_tb(error.__traceback__)
            sys.stderr.flush()
    finally:
        # `serve` may have left threads and handlers of the zygote's interpreter: leave at once.
        os._exit(status)


def _reap(control: socket.socket, children: dict[int, Marks]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        marks = children.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        _tell(control, exited=pid, how=how, computing=marks.read())
        marks.close()


def _tell(control: socket.socket, **news: Any) -> None:
    control.sendall(json.dumps(news).encode() + b"\n")


def main() -> None:
    """Import everything that a worker needs, then serve the control socket."""
    parser = argparse.ArgumentParser(prog="python -m saliscope.daemon.worker.zygote")
    parser.add_argument("--fd", type=int, required=True)
    control = socket.socket(fileno=parser.parse_args().fd)
    die_with(os.getppid())
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    from saliscope.daemon.worker.serve import serve

    for name in PRELOADED:
        import_module(name)
    run(control, serve)


if __name__ == "__main__":
    main()
