"""A data set that is small enough to be held whole."""

from __future__ import annotations

from itertools import islice
from typing import Any

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.opening import open_source
from saliscope.sources.records import Fields, record_of


def read_data(source: str, fields: Fields, split: str | None, limit: int | None) -> list[dict[str, Any]]:
    """The texts of a file (JSON lines, JSON, CSV, TSV, Parquet, or one text a line), or of a data set of the hub.

    Each is a map of `text` (and `pair`, a second one) or, without a text, the `messages` of a chat, and, where there is
    one, `label`. What cannot be read is `bad_request`.
    """
    rows = islice(open_source(source, split).rows(0), limit)
    found = [record_of(row, fields, f"{source}, row {number}") for number, row in enumerate(rows, 1)]
    if not found:
        raise SaliscopeError("bad_request", f"data: {source} holds no text")
    return found
