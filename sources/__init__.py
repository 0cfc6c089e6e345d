"""Data sets as rows: files of text, tables, Parquet and data sets of the hub, read as a stream."""

from saliscope.sources.opening import Reader, open_source
from saliscope.sources.records import Fields, Unreadable, record_of
from saliscope.sources.whole import read_data

__all__ = ["Fields", "Reader", "Unreadable", "open_source", "read_data", "record_of"]
