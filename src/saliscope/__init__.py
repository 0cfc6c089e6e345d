"""saliscope: see which tokens decided, while you type."""

__version__ = "0.1.0"
