"""`saliscope cache info|clear`."""

from __future__ import annotations

from pathlib import Path

import click

from saliscope import protocol
from saliscope.cli import options
from saliscope.cli.status import ask, size
from saliscope.protocol import paths


@click.group("cache")
def command() -> None:
    """Look at what the daemon keeps on disk, and remove it.

    Models are not among it: they lie in the cache of the Hugging Face hub (`hf cache` lists them).
    """


@command.command("info")
@options.as_json
def info(as_json: bool) -> None:
    """List the files in the cache folder."""
    found = {path.name: path.stat().st_size for path in _files()}
    if as_json:
        from saliscope.cli.shapes import CacheShape, write_json

        write_json(CacheShape(str(paths.cache_dir()), found))
        return
    click.echo(paths.cache_dir())
    for name, num_bytes in found.items():
        click.echo(f"  {size(num_bytes):>8}  {name}")
    click.echo(f"  {size(sum(found.values())):>8}  in all")


@command.command("clear")
def clear() -> None:
    """Remove kept results, logs and the kept catalogue; the token stays, and so does the log of a running daemon.

    A running daemon also forgets what it keeps in memory of results and of texts that are being written.
    """
    running, _ = ask()
    spared = {paths.token_path()} | ({paths.log_path(), *_results()} if running else set())
    removed = freed = 0
    if running:
        # It has the file open; it begins a new one.
        with protocol.connect(start=False) as client:
            cleared = client.clear_cache()
        removed, freed = cleared.disk, cleared.memory + cleared.prefixes
    for path in _files():
        if path not in spared:
            removed += path.stat().st_size
            path.unlink(missing_ok=True)
    click.echo(f"removed {size(removed)}")
    if running:
        click.echo(f"freed {size(freed)} of the daemon's memory")


def _results() -> list[Path]:
    """The file of kept results, and those that SQLite has beside it."""
    return [*paths.cache_dir().glob(f"{paths.RESULTS}*")]


def _files() -> list[Path]:
    """The daemon's own files, by name: nothing else in that folder is ours to remove."""
    folder = paths.cache_dir()
    kept = {
        path
        for pattern in ("daemon.log*", "methods-*", "tcp-token", f"{paths.RESULTS}*")
        for path in folder.glob(pattern)
    }
    return sorted(path for path in kept if path.is_file() and not path.is_symlink())
