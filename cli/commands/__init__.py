"""The commands, one a file: each module has its `command`."""
