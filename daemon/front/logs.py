"""What the log looks like, and how large it may grow: one line a request, never a text."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any, Final

from saliscope.protocol import paths

#: A log file over this size is moved to `daemon.log.1` and begun anew.
MAX_LOG_BYTES: Final = 8 << 20
#: How much of a text `--log-texts` writes.
MAX_LOGGED_TEXT: Final = 2000

requests = logging.getLogger("saliscope.requests")


class Formatter(logging.Formatter):
    """Lines of text, or of JSON; `fields` of a record (`extra={"fields": {…}}`) come by name."""

    def __init__(self, form: str) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")
        self._as_json = form == "json"

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the fields hold."""
        fields: dict[str, Any] = getattr(record, "fields", {})
        if not self._as_json:
            return " ".join([super().format(record), *(f"{name}={_word(value)}" for name, value in fields.items())])
        facts = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        return json.dumps({**facts, **fields})


def configure(form: str) -> None:
    """Log to stderr in this form, "text" or "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(form))
    logging.basicConfig(handlers=[handler], level=logging.INFO)


def texts_of(params: dict[str, Any]) -> str:
    """The texts of a request as JSON, cut: for `--log-texts` alone."""
    texts = {name: params[name] for name in ("text", "texts", "pair", "messages") if params.get(name) is not None}
    return json.dumps(texts, ensure_ascii=False, default=repr)[:MAX_LOGGED_TEXT]


def bound_log(limit: int = MAX_LOG_BYTES) -> bool:
    """If stderr is the daemon's log file and over the limit, keep its content as `daemon.log.1` and empty it.

    Emptied, not renamed: workers and zygote write to the same open file. True if it was.
    """
    path, facts = paths.log_path(), os.fstat(sys.stderr.fileno())
    if facts.st_size <= limit or not path.exists() or not os.path.samestat(path.stat(), facts):
        return False
    _copy_end(path, path.with_suffix(".log.1"), limit)
    os.truncate(path, 0)
    return True


def _copy_end(source: Path, target: Path, num_bytes: int) -> None:
    with open(source, "rb") as log, open(target, "wb") as kept:
        log.seek(-num_bytes, os.SEEK_END)
        kept.write(log.read(num_bytes))


def _word(value: object) -> str:
    """A value without spaces and line ends, quoted where it has some."""
    text = str(value)
    return text if text and text.isprintable() and not any(c in text for c in ' "=') else json.dumps(text)
