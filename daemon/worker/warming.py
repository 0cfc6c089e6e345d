"""Warm-up: how many tokens of a model make a good micro-batch on this device."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from saliscope.daemon.worker.errors import free_memory, is_out_of_memory
from saliscope.daemon.worker.scheduling.budget import Budget
from saliscope.explainers.models.textmodel import TextModel
from saliscope.explainers.queries import Evaluate, Outputs, Piece
from saliscope.explainers.variants import Masked

TEXT: Final = "the plot is a mess but the cast is wonderful and so is the music"
#: Rows of the trials.
TRIALS: Final = (1, 4, 16, 64, 256, 1024)
#: The first trial that takes so many times what one row takes is the last, and so is one that takes so long.
SLOWER: Final = 2.5
MOST_S: Final = 0.5


def measure(model: TextModel) -> Budget:
    """The token budget of a model on its device, from a few passes that take some tenths of a second."""
    encoding = model.encode(TEXT)
    groups = tuple(token.positions for token in encoding.tokens if not token.special)
    seconds: dict[int, float] = {}
    for rows in TRIALS:
        kept = np.ones((rows, len(groups)), bool)
        # Rows that begin alike would share what they begin with.
        kept[::2, 0] = False
        query = Evaluate(encoding, Outputs(model.facts.kinds[0]), Masked(kept, groups))
        try:
            taken = _time(model, Piece(query, 0, rows))
        except Exception as error:
            if not seconds or not is_out_of_memory(error):
                raise
            free_memory()
            break
        seconds[rows * len(encoding)] = taken
        if taken > MOST_S or taken > SLOWER * min(seconds.values()):
            break
    return Budget.measured(seconds)


def _time(model: TextModel, piece: Piece) -> float:
    """The shorter of two passes, after one that is not counted: a model's first one takes longer."""
    if piece.stop == 1:
        _pass(model, piece)
    return min(_pass(model, piece) for _ in range(2))


def _pass(model: TextModel, piece: Piece) -> float:
    started = time.perf_counter()
    # The answer is on the host: whatever the device, it has finished.
    model.compute([piece])
    return time.perf_counter() - started
