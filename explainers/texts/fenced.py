"""What runs a stranger's pattern or template, in a process of its own; started by `fence.py`, never imported by it.

Only the standard library (and jinja2 for templates): it starts in some milliseconds. Reads one task from stdin as
JSON, writes one answer to stdout.
"""

from __future__ import annotations

import contextlib
import json
import re
import resource
import sys
from collections.abc import Callable
from typing import Any

MEGABYTES = 512
CPU_SECONDS = 2


def find_matches(pattern: str, texts: list[str]) -> dict[str, Any]:
    """The spans of the matches that are not empty, a list a text; `refused` says why a pattern is none."""
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return {"refused": str(error) or type(error).__name__}
    found = [[match.span() for match in compiled.finditer(text) if match.end() > match.start()] for text in texts]
    return {"spans": found}


def render(template: str, variables: dict[str, Any], chats: list[list[dict[str, str]]], most: int) -> dict[str, Any]:
    """Each chat through the template, as `transformers` renders it; `refused` is what the template says against it."""
    from jinja2.exceptions import TemplateError

    try:
        compiled = _environment().from_string(template)
        texts = [_rendered(compiled.generate(messages=chat, **variables), most) for chat in chats]
    except (TemplateError, TypeError, ValueError, KeyError, AttributeError, ArithmeticError, LookupError) as error:
        return {"refused": str(error) or type(error).__name__}
    except RecursionError:
        return {"refused": "it recurses without end"}
    return {"texts": texts}


def _rendered(pieces: Any, most: int) -> str:
    kept, size = [], 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise ValueError(f"it makes more than {most:,} characters of this chat")
        kept.append(piece)
    return "".join(kept)


def _environment() -> Any:
    """The sandbox of `transformers`, with the same names in it."""
    from jinja2 import ext, nodes
    from jinja2.exceptions import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(ext.Extension):
        """`{% generation %}` marks what an assistant says, for training; here it is only passed through."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.CallBlock(self.call_method("_pass"), [], [], body).set_lineno(line)

        def _pass(self, caller: Any) -> Any:
            return caller()

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
        known = {name: options[name] for name in ("indent", "separators", "sort_keys") if name in options}
        return json.dumps(value, ensure_ascii=ensure_ascii, **known)

    def today(form: str) -> str:
        from datetime import datetime

        return datetime.now().strftime(form)  # noqa: DTZ005

    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, ext.loopcontrols]
    )
    made.filters["tojson"] = tojson
    made.globals.update(raise_exception=refuse, strftime_now=today)
    return made


def _limit() -> None:
    """No more memory and time than a sane pattern or template needs."""
    limits = ((resource.RLIMIT_AS, MEGABYTES << 20), (resource.RLIMIT_CPU, CPU_SECONDS))
    for what, most in limits:
        # Not every system lets every limit be set (macOS has none on memory); the clock of `fence.py` is left then.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (most, most))


def main() -> None:
    """One task from stdin, one answer to stdout."""
    _limit()
    task = json.load(sys.stdin)
    sys.path[:] = task["path"]
    tasks: dict[str, Callable[..., dict[str, Any]]] = {"find_matches": find_matches, "render": render}
    try:
        answer = tasks[task["name"]](*task["arguments"])
        sys.stdout.write(json.dumps(answer))
    except MemoryError:
        sys.stdout.write('{"exhausted": true}')


if __name__ == "__main__":
    main()
