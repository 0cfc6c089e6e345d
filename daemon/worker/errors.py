"""Exceptions of the explainers as errors of the wire."""

from __future__ import annotations

import logging

import torch

from saliscope.explainers.errors import ExplainerError
from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)


def to_wire_error(error: Exception) -> SaliscopeError:
    """An exception as the wire's error; what nobody foresaw is `internal`, logged without any text."""
    if isinstance(error, SaliscopeError):
        return error
    if isinstance(error, ExplainerError):
        return SaliscopeError(error.code, error.message, error.data)
    if is_out_of_memory(error):
        return SaliscopeError(
            "oom",
            "the device ran out of memory on a single row of this request; shorten the text, unload a model "
            "(`saliscope models` lists them), or choose a smaller one",
        )
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
    log.error("%s at %s", type(error).__name__, place)
    return SaliscopeError("internal", f"{type(error).__name__} in the worker ({place.rsplit('/', 1)[-1]})")


def is_out_of_memory(error: Exception) -> bool:
    """Whether the device, or the machine, had not the memory for what was tried."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    said = str(error).lower() if isinstance(error, RuntimeError) else ""
    return "out of memory" in said or "can't allocate memory" in said


def free_memory() -> None:
    """Give back to the device what its allocator keeps for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
