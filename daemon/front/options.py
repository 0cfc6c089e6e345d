"""The options of this daemon, as its command line and its environment name them."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct

from saliscope.protocol.address import Address
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.sizes import parse_size
from saliscope.protocol.startup import DEFAULT_IDLE, DEFAULT_PREFIX_CACHE, OPTIONS, OPTIONS_VARIABLE

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Options(Struct, frozen=True):
    """What was decided at the start; the defaults are those of a daemon that a command starts."""

    tcp: Address | None = None
    roots: tuple[Path, ...] = ()
    idle_s: float = 0.0
    metrics: Address | None = None
    log_format: Literal["text", "json"] = "text"
    log_texts: bool = False
    prefix_cache: str | None = None
    allow_pickle: bool = False
    trust_remote_code: bool = False
    cache: int = 1 << 30
    engine: Literal["local", "ray"] = "local"
    ray_address: str | None = None
    ray_actors: int | None = None

    def to_environment(self) -> None:
        """Tell the workers to be what the loading of models may do, and what they may keep."""
        if self.prefix_cache is not None:
            os.environ["SALISCOPE_PREFIX_CACHE"] = self.prefix_cache
        if self.allow_pickle:
            os.environ["SALISCOPE_ALLOW_PICKLE"] = "1"
        if self.trust_remote_code:
            os.environ["SALISCOPE_TRUST_REMOTE_CODE"] = "1"


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add every option of the table."""
    for option in OPTIONS:
        if option.metavar is None:
            parser.add_argument(f"--{option.name}", action="store_true", help=option.help)
        else:
            action = "append" if option.many else "store"
            choices = option.metavar.split("|") if "|" in option.metavar else None
            parser.add_argument(
                f"--{option.name}", action=action, help=option.help, choices=choices,
                metavar=None if choices else option.metavar, default=[] if option.many else option.default,
            )  # fmt: skip


def with_environment(arguments: list[str]) -> list[str]:
    """The arguments behind those of the environment, so that given ones win."""
    return [*shlex.split(os.environ.get(OPTIONS_VARIABLE, "")), *arguments]


def read(found: argparse.Namespace) -> Options:
    """The parsed options, checked; `bad_request` says what to change."""
    given: dict[str, Any] = vars(found)
    tcp = _address("--tcp", given["tcp"], given["allow_remote"])
    metrics = _address("--metrics", given["metrics"], given["allow_remote"])
    return Options(
        tcp=tcp,
        roots=tuple(_root(root) for root in given["root"]),
        idle_s=seconds(given["idle_timeout"] or DEFAULT_IDLE),
        metrics=metrics,
        log_format=given["log_format"],
        log_texts=given["log_texts"],
        prefix_cache=_size("--prefix-cache", given["prefix_cache"] or DEFAULT_PREFIX_CACHE),
        allow_pickle=given["allow_pickle"],
        trust_remote_code=given["trust_remote_code"],
        cache=num_bytes(given["cache"]),
        engine=given["engine"],
        ray_address=given["ray_address"] or os.environ.get("RAY_ADDRESS") or None,
        ray_actors=_count("--ray-actors", given["ray_actors"]),
    )


def seconds(text: str) -> float:
    """A time span like 90, 90s, 30m, 3h or 7d in seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None:
        raise SaliscopeError("bad_request", f"--idle-timeout: {text!r} is no time; write 90s, 30m, 3h, or 0 for never")
    return float(found[1]) * _UNITS[found[2]]


def num_bytes(text: str) -> int:
    """A size like 512MiB or 2GiB in bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|k|M|G|T)(?:i?B)?", text.strip())
    if found is None:
        raise SaliscopeError("bad_request", f"--cache: {text!r} is no size; write 512MiB, 2GiB, or 0 for no cache")
    return int(float(found[1]) * 1024 ** ("", "k", "M", "G", "T").index(found[2]))


def _address(option: str, text: str | None, allow_remote: bool) -> Address | None:
    if text is None:
        return None
    address = Address.parse(text)
    if not address.is_loopback and not allow_remote:
        raise SaliscopeError(
            "bad_request",
            f"{option} {text}: other machines could reach it, and nothing on the way is encrypted. Listen on 127.0.0.1 "
            "behind a TLS proxy or an SSH tunnel, or add --allow-remote if the network itself is trusted",
        )
    return address


def _size(option: str, text: str) -> str:
    try:
        parse_size(text)
    except SaliscopeError as error:
        raise SaliscopeError(error.code, f"{option}: {error.message}") from error
    return text


def _count(option: str, text: str | None) -> int | None:
    if text is not None and not (text.isdecimal() and int(text)):
        raise SaliscopeError("bad_request", f"{option}: {text!r} is no number of workers; write 4")
    return None if text is None else int(text)


def _root(text: str) -> Path:
    path = Path(os.path.realpath(os.path.expanduser(text)))
    if not path.is_dir():
        raise SaliscopeError("bad_request", f"--root {text}: there is no such folder")
    return path
