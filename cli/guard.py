"""The last line: every failure becomes one line, a next step and a documented exit status."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable

from saliscope.protocol.errors import SaliscopeError

#: What a shell's completion sets to ask for candidates (click's convention).
COMPLETE = "_SALISCOPE_COMPLETE"
#: Exit statuses beside those of the error table.
INTERRUPTED = 130
BROKEN_PIPE = 141
#: What a device without room says; files that a command writes by name have messages of their own.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


def guarded(run: Callable[[], object], *, as_json: bool) -> int:
    """Run a command; its exit status, 0 unless it fails or returns another one."""
    _open_streams()
    _soften(sys.stdout)
    _soften(sys.stderr)
    try:
        try:
            result = run()
        except SaliscopeError as error:
            result = report_failure(error, as_json=as_json)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _close_stdout()
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _close_stdout()
        reason = f"cannot write the output: {error.strerror}; make room, or write it elsewhere"
        return report_failure(SaliscopeError("bad_request", reason), as_json=False)
    return result if isinstance(result, int) else 0


def report_failure(error: SaliscopeError, *, as_json: bool) -> int:
    """Say what went wrong and what to do next, on stderr or as JSON on stdout; the exit status."""
    if as_json:
        import json

        facts = {"code": error.code, "message": error.message, "advice": error.advice}
        print(json.dumps({"error": facts}, indent=2, ensure_ascii=False))
    else:
        print(f"error: {_safe(error.message)}\n  {error.advice}", file=sys.stderr)
    return error.exit_status


def _safe(text: str) -> str:
    """Messages may quote what a person typed: no escape of theirs reaches the terminal."""
    return "".join(char if char.isprintable() or char == "\n" else f"\\x{ord(char):02x}" for char in text)


def _soften(stream: object) -> None:
    """Characters that the terminal's encoding lacks become `?` instead of an error."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")


def _open_streams() -> None:
    """Streams that whoever started us has closed are those of the null device, so that no file or socket is theirs."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - lives as we do


def _close_stdout() -> None:
    """Nobody takes our output any more: be silent, also when the interpreter flushes at its end."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
