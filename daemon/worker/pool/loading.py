"""Loading on threads of its own, in two steps: what is it and how large, then, when there is room, the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import torch

from saliscope.daemon.worker.pool.budget import in_words
from saliscope.explainers.errors import ExplainerError, LoadingFailed, NoRoom, first_line
from saliscope.explainers.models.finding import Source, find_source
from saliscope.explainers.models.loading import LoadOptions, check_source, load_source
from saliscope.explainers.models.placing import is_out_of_memory, parse_dtype, pick_device
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.models.weighing import weigh

T = TypeVar("T")
Listener = Callable[..., None]
Post = Callable[[Callable[[], None]], None]

#: Bytes of a download are told at most this often.
TELL_EVERY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Weighed:
    """A model on disk: where it is to go, and the bytes that its weights will take there."""

    source: Source
    place: torch.device
    size: int


class OutOfMemory(NoRoom):
    """The device ran out of memory while the model was loaded."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, and the seconds that loading it took."""

    model: TextModel
    seconds: float


class Loading:
    """Does both steps; `listen` and `done` are called through `post`, on the worker's own thread.

    `warm` is called with each model on the thread that loaded it.
    """

    def __init__(self, post: Post, warm: Callable[[TextModel], None]) -> None:
        self._post, self._warm = post, warm

    def weigh(
        self,
        name: str,
        options: LoadOptions,
        download: bool,
        listen: Listener,
        done: Callable[[Weighed | ExplainerError], None],
    ) -> None:
        """Find a model, fetching it first if it may be, and read from its headers how large it is."""
        last = 0.0

        def stage(text: str) -> None:
            self._post(lambda: listen(text))

        def count(bytes_done: float, total: float) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= TELL_EVERY_S:
                last = now
                self._post(lambda: listen(f"downloading {name}", bytes_done, total))

        def run() -> Weighed:
            source = find_source(name, revision=options.revision, download=download, on_stage=stage, on_bytes=count)
            check_source(source, options)
            place = pick_device(options.device)
            return Weighed(source, place, weigh(source, parse_dtype(options.dtype, source, place)))

        self._start(name, run, done)

    def load(
        self,
        name: str,
        weighed: Weighed,
        options: LoadOptions,
        listen: Listener,
        done: Callable[[Loaded | ExplainerError], None],
    ) -> None:
        """Load what was weighed; `OutOfMemory` where the device had too little after all."""

        def stage(text: str) -> None:
            size = f" ({in_words(weighed.size)})" if text.startswith("loading") else ""
            self._post(lambda: listen(f"{text}{size}"))

        def run() -> Loaded:
            started = time.monotonic()
            model = load_source(name, weighed.source, options, stage)
            stage("warming up")
            self._warm(model)
            return Loaded(model, time.monotonic() - started)

        self._start(name, run, done)

    def _start(self, name: str, run: Callable[[], T], done: Callable[[T | ExplainerError], None]) -> None:
        def work() -> None:
            outcome = _outcome(name, run)
            self._post(lambda: done(outcome))

        threading.Thread(target=work, name=f"load {name}", daemon=True).start()


def _outcome(name: str, run: Callable[[], T]) -> T | ExplainerError:
    """What came of it, without the frames of a failure: they would keep half a model in memory."""
    try:
        return run()
    except ExplainerError as error:
        return error.with_traceback(None)
    except Exception as error:  # whatever a checkpoint breaks is its reader's answer, not the worker's end
        if is_out_of_memory(error):
            return OutOfMemory(f"{name}: the device ran out of memory while the model was loaded")
        return LoadingFailed(f"{name} could not be loaded: {type(error).__name__}: {first_line(error)}")
