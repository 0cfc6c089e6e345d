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
    if isinstance(error, torch.OutOfMemoryError):
        return SaliscopeError("oom", "the device ran out of memory for this request")
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
    log.error("%s at %s", type(error).__name__, place)
    return SaliscopeError("internal", f"{type(error).__name__} in the worker ({place.rsplit('/', 1)[-1]})")
